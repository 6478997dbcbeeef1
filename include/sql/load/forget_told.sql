-- Purpose: what privacy drops leaves the books of earlier imports, too: what they noted of it, and quoted of it where it was
--   rejected or left out. That it was, stays counted.
-- Parameters: institution.
-- Row count: records of which something was quoted.
with hidden as materialized (
    select entity, key from hidden_thing
), notes as (
    delete from ops.record_note n using hidden h, ops.import i
    where n.entity = h.entity and n.key = h.key and i.id = n.import_id and i.institution = %(institution)s
)
update ops.rejected_record r
set reason = r.rule, value = null, payload = null
from hidden h, ops.import i
where r.entity = h.entity and r.key = h.key and i.id = r.import_id and i.institution = %(institution)s
    and (r.value is not null or r.payload is not null or r.reason <> r.rule)
