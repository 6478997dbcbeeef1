-- Purpose: why outputs are removed, and why records are excluded, as counts.
-- Row count: 1: two JSON objects.
select
    (select coalesce(jsonb_object_agg(reason, n), '{}') from (
        select reason, count(*) as n from delta
        where entity = 'output' and action = 'remove' and rekeyed is null group by reason) r),
    (select coalesce(jsonb_object_agg(rule, n), '{}') from (
        select rule, count(*) as n from verdict
        where entity = 'output' and verdict = 'excluded' group by rule) e)
