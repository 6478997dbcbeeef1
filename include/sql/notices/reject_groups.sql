-- Purpose: rejected records counted by reason, the most frequent first. Where one sentence says it of all, that sentence.
-- Parameters: import_id, most.
-- Row count: reasons, at most `most`.
select entity, rule, count(*) as records, case when min(reason) = max(reason) then min(reason) end as reason,
    count(*) over () as reasons
from ops.rejected_record
where import_id = %(import_id)s and verdict = 'rejected'
group by entity, rule
order by records desc, entity, rule
limit %(most)s
