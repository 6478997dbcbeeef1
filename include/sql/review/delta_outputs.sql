-- Purpose: the difference of outputs: desired against published, within the scope, compared by fingerprint; a removal's
--   reason is the verdict of the record that was read, else that the output is absent from the source.
-- Parameters: institution.
-- Row count: outputs added, updated or removed.
insert into delta (entity, key, action, reason, old)
select 'output', coalesce(d.key, w.key),
    case when w.key is null then 'add' when d.key is null then 'remove' else 'update' end,
    case when w.key is null then 'new' when d.key is not null then 'changed' else coalesce(ended.reason, 'absent') end,
    case when w.key is not null then warehouse.output_document(%(institution)s, w.key) end
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
