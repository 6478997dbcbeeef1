-- Purpose: where asking for an identifier brings its record too, it is due when the record is.
-- Parameters: account.
-- Row count: identifiers.
update attention.asked q set due_at = t.due_at
from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
join attention.tracked_identifier i on i.account = t.account and i.tracked = t.tracked
where q.account = i.account and q.scheme = i.scheme and q.value = i.value and q.answer = 'tracked' and t.due_at > q.asked_at
