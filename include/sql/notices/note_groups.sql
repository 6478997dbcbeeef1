-- Purpose: notes on records that were kept, counted by code, warnings first, each with its first examples.
-- Parameters: import_id; most, codes at most; examples, of each.
-- Row count: codes, at most `most`.
select code, max(severity) as severity, count(*) as notes,
    case when min(message) = max(message) then min(message) end as message,
    jsonb_agg(
        jsonb_build_object('place', coalesce(place, key), 'field', field, 'value', value, 'repaired_to', repaired_to,
            'message', message)
        order by nth
    ) filter (where nth <= %(examples)s) as examples,
    count(*) over () as codes
from (
    select *, row_number() over (partition by code order by length(place), place, length(key), key, field, value) as nth
    from ops.record_note
    where import_id = %(import_id)s
) numbered
group by code
order by severity desc, notes desc, code
limit %(most)s
