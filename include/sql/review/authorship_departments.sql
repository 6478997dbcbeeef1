-- Purpose: from which departments each author wrote each output.
-- Row count: such links.
insert into desired_authorship_department (output_key, author_key, department_key)
select distinct r.key, c.author, d.key
from published_record r join credit c using (record)
cross join lateral unnest(c.departments) as named (key)
left join department_alias a on a.alias = named.key
join desired_department d on d.key = coalesce(a.key, named.key)
