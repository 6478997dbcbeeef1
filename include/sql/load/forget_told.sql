-- Purpose: what privacy drops leaves the books of earlier imports, too: what they noted of it, and quoted of it where it was
--   rejected or left out. That it was, stays counted.
-- Parameters: institution.
-- Row count: records of which something was quoted.
with hidden as (
    select v.entity, coalesce(o.key, a.key, d.key) as key
    from verdict v
    left join output o on v.entity = 'output' and o.record = v.record
    left join author a on v.entity = 'author' and a.record = v.record
    left join department d on v.entity = 'department' and d.record = v.record
    where v.verdict = 'dropped_by_privacy' and coalesce(o.key, a.key, d.key) is not null
), notes as (
    delete from ops.record_note n using hidden h, ops.import i
    where n.entity = h.entity and n.key = h.key and i.id = n.import_id and i.institution = %(institution)s
)
update ops.rejected_record r
set reason = r.rule, value = null, payload = null
from hidden h, ops.import i
where r.entity = h.entity and r.key = h.key and i.id = r.import_id and i.institution = %(institution)s
    and (r.value is not null or r.payload is not null or r.reason <> r.rule)
