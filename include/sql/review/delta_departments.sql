-- Purpose: the difference of departments, as for outputs.
-- Parameters: institution.
-- Row count: departments added, updated or removed.
insert into delta (entity, key, action, reason, old)
select 'department', coalesce(d.key, w.key),
    case when w.key is null then 'add' when d.key is null then 'remove' else 'update' end,
    case when w.key is null then 'new' when d.key is not null then 'changed' else coalesce(ended.reason, 'absent') end,
    case when w.key is not null then jsonb_build_object(
        'key', w.key, 'name', w.name, 'fingerprint', w.fingerprint,
        'parents', coalesce((
            select jsonb_agg(p.parent_key order by p.parent_key)
            from warehouse.department_parent p where p.institution = %(institution)s and p.department_key = w.key), '[]')) end
from scope s
left join desired_department d on d.key = s.key
left join warehouse.department w on w.institution = %(institution)s and w.key = s.key
left join lateral (
    select case v.verdict when 'dropped_by_privacy' then 'privacy' else v.verdict end as reason
    from department a join verdict v on v.entity = 'department' and v.record = a.record
    where d.key is null and a.key = s.key and v.verdict <> 'duplicate'
    limit 1
) ended on true
where s.entity = 'department' and (d.key is null or w.key is null or d.fingerprint <> w.fingerprint)
    and (d.key is not null or w.key is not null)
