-- Purpose: which outputs belong to which departments.
-- Row count: such links.
insert into desired_output_department (output_key, department_key)
select distinct r.key, d.key
from published_record r join output o using (record)
cross join lateral unnest(o.groups) as named (key)
join desired_department d on d.key = named.key
