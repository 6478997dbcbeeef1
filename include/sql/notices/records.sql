-- Purpose: everything that the attached file lists: rejected records, notes (warnings first), records that are left out.
-- Parameters: import_id, most.
-- Row count: lines, at most `most`.
select what, entity, place, key, title, field, value, repaired_to, explanation, rule
from (
    select case verdict when 'rejected' then 'rejected' else 'left out' end as what,
        case verdict when 'rejected' then 1 else 4 end as rank,
        entity, place, case when key not like 'mail:%%' then key end as key, payload ->> 'title' as title,
        field, value, null as repaired_to, reason as explanation, rule
    from ops.rejected_record where import_id = %(import_id)s
    union all
    select case when repaired_to is not null then 'repaired' else 'note' end,
        case severity when 'warning' then 2 else 3 end,
        entity, place, case when key not like 'mail:%%' then key end, null,
        field, value, repaired_to, message, code
    from ops.record_note where import_id = %(import_id)s
) lines
order by rank, array_position(array['output', 'author', 'department'], entity), rule, length(place), place, length(key), key, field, value
limit %(most)s
