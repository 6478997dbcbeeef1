-- Purpose: the departments that should be published.
-- Row count: departments.
insert into desired_department (key, name, fingerprint)
select d.key, d.name, md5(jsonb_build_array(d.name, coalesce(parents.keys, '[]'))::text)::uuid
from department d
join verdict v on v.entity = 'department' and v.record = d.record and v.verdict = 'kept'
left join lateral (
    select jsonb_agg(p.parent_key order by p.parent_key) as keys
    from desired_department_parent p where p.department_key = d.key
) parents on true
