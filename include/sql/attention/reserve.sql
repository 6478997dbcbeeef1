-- Purpose: reserves calls of today's budget (UTC), which all imports share; gives how many are granted.
-- Parameters: account, wanted, budget (null for any number), more (calls made beyond those reserved before: repetitions).
-- Row count: 1.
with before as (
    select coalesce((select calls from attention.budget_day where account = %(account)s and day = current_date), 0)
        + %(more)s::bigint as calls
), granted as (
    select greatest(0, least(%(wanted)s::bigint, coalesce(%(budget)s::bigint - calls, %(wanted)s::bigint))) as calls from before
), noted as (
    insert into attention.budget_day (account, day, calls) select %(account)s, current_date, calls + %(more)s::bigint from granted
    on conflict (account, day) do update set calls = budget_day.calls + excluded.calls
)
select calls from granted
