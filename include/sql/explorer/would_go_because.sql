-- Purpose: what an import that waits for approval would remove, by entity and reason; what privacy removes never waits.
-- Row count: reasons.
select entity || 's', reason, count(*)
from delta
where action = 'remove' and reason <> 'privacy'
group by entity, reason
order by entity desc, count(*) desc, reason
