-- Purpose: from which departments each author wrote each output.
-- Row count: such links.
insert into desired_authorship_department (output_key, author_key, department_key)
select distinct r.key, c.author, d.key
from published_record r join credit c using (record)
cross join lateral unnest(c.departments) as named (key)
join desired_department d on d.key = named.key
