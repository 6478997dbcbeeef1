-- Purpose: of those who are late, whom the operators have to be told of: who was not late before, and everybody once a day.
-- Parameters: slugs, all that are late.
-- Row count: those.
with in_time_again as (
    delete from ops.told_late where institution <> all (%(slugs)s::text[])
)
insert into ops.told_late (institution) select distinct unnest(%(slugs)s::text[])
on conflict (institution) do update set told_at = now() where told_late.told_at < now() - interval '23 hours 30 minutes'
returning institution
