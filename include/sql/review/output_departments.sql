-- Purpose: which outputs belong to which departments.
-- Row count: such links.
insert into desired_output_department (output_key, department_key)
select distinct r.key, d.key
from published_record r join output o using (record)
left join membership m on m.key = r.key
cross join lateral unnest(coalesce(m.sets, o.groups)) as named (key)
left join department_alias a on a.alias = named.key
join desired_department d on d.key = coalesce(a.key, named.key)
