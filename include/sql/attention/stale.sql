-- Purpose: marks tracked outputs that none of their identifiers leads to any more; what they said last is kept.
-- Parameters: account.
-- Row count: tracked outputs.
with doubted as materialized (
    select distinct i.tracked
    from answer a join attention.tracked_identifier i on i.account = %(account)s and i.scheme = a.scheme and i.value = a.value
    where a.answer = 'untracked'
)
update attention.tracked_output t set stale_since = now()
from doubted d
where t.account = %(account)s and t.tracked = d.tracked and t.stale_since is null
    and not exists (
        select from attention.tracked_identifier o
        join attention.asked q on q.account = o.account and q.scheme = o.scheme and q.value = o.value
        where o.account = %(account)s and o.tracked = t.tracked and q.answer = 'tracked')
