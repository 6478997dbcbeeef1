-- Purpose: writes down the notes (repairs, doubts, values left out) of records that are published or rejected,
--   and of parts (files) as a whole.
-- Parameters: import_id; knows_privacy; levels.
-- Row count: notes written down.
insert into ops.record_note (import_id, entity, key, place, code, severity, field, value, repaired_to, message)
select %(import_id)s, n.entity, s.key, s.place, n.code, n.severity, n.field, n.value, n.repaired_to, n.message
from note n
join lateral (
    select o.key, o.place, o.level from output o where n.entity = 'output' and o.record = n.record
    union all
    select a.key, a.place, a.level from author a where n.entity = 'author' and a.record = n.record
    union all
    select d.key, d.place, d.level from department d where n.entity = 'department' and d.record = n.record
    union all
    select null, p.name, null from part p where n.entity = 'part' and p.number = n.record >> 50
) s on true
where (not %(knows_privacy)s or n.entity = 'part' or coalesce(s.level = any(%(levels)s), false))
    and not exists (
        select from verdict v where v.entity = n.entity and v.record = n.record
            and v.verdict in ('duplicate', 'deleted', 'dropped_by_privacy', 'excluded'))
order by n.entity, n.record
