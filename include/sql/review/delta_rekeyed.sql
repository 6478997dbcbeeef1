-- Purpose: an output whose key changed but that shares an identifier with the removed one is the same output, re-keyed; one
--   that shares it with an output that stays was merged into that one.
-- Row count: removals and additions that belong together, or removals that are mergers.
with shared as (
    select distinct gone.key as gone, came.output_key as came, added.key is not null as is_new
    from delta gone
    cross join lateral jsonb_array_elements(gone.old -> 'identifiers') as i (identifier)
    join desired_output_identifier came
        on came.scheme = i.identifier ->> 'scheme' and came.value = i.identifier ->> 'value' and not came.derived
    left join delta added on added.entity = 'output' and added.key = came.output_key and added.action = 'add'
    where gone.entity = 'output' and gone.action = 'remove' and gone.reason = 'absent'
), pairs as (
    select gone, came from shared s where is_new
        and came = (select min(o.came) from shared o where o.gone = s.gone and o.is_new)
        and gone = (select min(o.gone) from shared o where o.came = s.came and o.is_new)
)
update delta d
set rekeyed = p.other, reason = coalesce(p.reason, d.reason)
from (
    select gone as key, came as other, 'rekeyed' as reason from pairs
    union all
    select came, gone, 'rekeyed' from pairs
    union all
    select gone, null, 'merged' from shared s where not exists (select from pairs p where p.gone = s.gone)
) p
where d.entity = 'output' and d.key = p.key
