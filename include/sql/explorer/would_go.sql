-- Purpose: examples of what an import that waits for approval would remove: some of each entity and reason. What privacy
--   removes is never shown.
-- Row count: at most 10 of each entity.
select entity, key, coalesce(old ->> 'title', old ->> 'name', key), reason
from (
    select *, row_number() over (partition by entity order by nth, key) as place
    from (select *, row_number() over (partition by entity, reason order by key) as nth from delta
        where action = 'remove' and reason <> 'privacy') d
) d
where place <= 10
order by entity desc, place
