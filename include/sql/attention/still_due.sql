-- Purpose: the next identifiers of the work that are still to be asked for: another import may have asked meanwhile.
-- Parameters: account, after (a position), most.
-- Row count: identifiers.
select w.position, w.scheme, w.value, a.due_at is null or a.due_at <= now() as due
from work w
left join attention.asked a on a.account = %(account)s and a.scheme = w.scheme and a.value = w.value
where w.position > %(after)s
order by w.position
limit %(most)s
