-- Purpose: the first rejected records, so chosen that a rare reason shows beside a frequent one: the first of each reason,
--   then the second of each; those of one sentence together. "row 9" comes before "row 10".
-- Parameters: import_id, most.
-- Row count: records, at most `most`.
select entity, coalesce(place, key) as place, field, value, reason
from (
    select *, row_number() over (partition by entity, rule order by length(place), place, length(key), key) as nth,
        count(*) over (partition by entity, rule) as records
    from ops.rejected_record
    where import_id = %(import_id)s and verdict = 'rejected'
    order by nth, records desc, entity, rule
    limit %(most)s
) chosen
order by records desc, entity, rule, min(nth) over (partition by entity, rule, reason), reason, nth
