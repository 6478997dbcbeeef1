-- Purpose: the difference of authors, as for outputs.
-- Parameters: institution.
-- Row count: authors added, updated or removed.
insert into delta (entity, key, action, reason, old)
select 'author', coalesce(d.key, w.key),
    case when w.key is null then 'add' when d.key is null then 'remove' else 'update' end,
    case when w.key is null then 'new' when d.key is not null then 'changed' else coalesce(ended.reason, 'absent') end,
    case when w.key is not null then jsonb_build_object(
        'key', w.key, 'name', w.name, 'ids', w.ids, 'fingerprint', w.fingerprint,
        'departments', coalesce((
            select jsonb_agg(p.department_key order by p.department_key)
            from warehouse.author_department p where p.institution = %(institution)s and p.author_key = w.key), '[]')) end
from scope s
left join desired_author d on d.key = s.key
left join warehouse.author w on w.institution = %(institution)s and w.key = s.key
left join lateral (
    select case v.verdict when 'dropped_by_privacy' then 'privacy' else v.verdict end as reason
    from author a join verdict v on v.entity = 'author' and v.record = a.record
    where d.key is null and a.key = s.key and v.verdict <> 'duplicate'
    limit 1
) ended on true
where s.entity = 'author' and (d.key is null or w.key is null or d.fingerprint <> w.fingerprint)
    and (d.key is not null or w.key is not null)
