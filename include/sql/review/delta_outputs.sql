-- Purpose: the difference of outputs: desired against published, within the scope, compared by fingerprint; a removal's
--   reason is the verdict of the record that was read, else that the output is absent from the source.
-- Parameters: institution.
-- Row count: outputs added, updated or removed.
insert into delta (entity, key, action, reason, old)
select 'output', coalesce(d.key, w.key),
    case when w.key is null then 'add' when d.key is null then 'remove' else 'update' end,
    case when w.key is null then 'new' when d.key is not null then 'changed' else coalesce(ended.reason, 'absent') end,
    case when w.key is not null then jsonb_build_object(
        'key', w.key, 'title', w.title, 'type', w.type, 'year', w.year, 'venue', w.venue, 'groups', w.groups,
        'fingerprint', w.fingerprint,
        'identifiers', coalesce((
            select jsonb_agg(jsonb_build_object('scheme', i.scheme, 'value', i.value, 'derived', i.derived)
                order by i.scheme, i.value)
            from warehouse.output_identifier i where i.institution = %(institution)s and i.output_key = w.key), '[]'),
        'authorships', coalesce((
            select jsonb_agg(jsonb_build_object(
                'author_key', a.author_key, 'position', a.position, 'name', a.name, 'ids', a.ids, 'relation', a.relation,
                'departments', coalesce((
                    select jsonb_agg(p.department_key order by p.department_key) from warehouse.authorship_department p
                    where p.institution = %(institution)s and p.output_key = w.key and p.author_key = a.author_key), '[]'))
                order by a.position, a.author_key)
            from warehouse.authorship a where a.institution = %(institution)s and a.output_key = w.key), '[]'),
        'departments', coalesce((
            select jsonb_agg(p.department_key order by p.department_key)
            from warehouse.output_department p where p.institution = %(institution)s and p.output_key = w.key), '[]')) end
from scope s
left join desired_output d on d.key = s.key
left join warehouse.research_output w on w.institution = %(institution)s and w.key = s.key
left join lateral (
    select case v.verdict when 'dropped_by_privacy' then 'privacy' else v.verdict end as reason
    from output o join verdict v on v.entity = 'output' and v.record = o.record
    where d.key is null and o.key = s.key and v.verdict <> 'duplicate'
    limit 1
) ended on true
where s.entity = 'output' and (d.key is null or w.key is null or d.fingerprint <> w.fingerprint)
    and (d.key is not null or w.key is not null)
