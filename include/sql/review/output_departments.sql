-- Purpose: which outputs belong to which departments.
-- Row count: such links.
insert into desired_output_department (output_key, department_key)
with placed as materialized (  -- or else each output is looked up by itself
    select r.key, coalesce(m.sets, o.groups) as groups
    from published_record r join output o using (record) left join membership m on m.key = r.key
)
select distinct p.key, d.key
from placed p
cross join lateral unnest(p.groups) as named (key)
left join department_alias a on a.alias = named.key
join desired_department d on d.key = coalesce(a.key, named.key)
