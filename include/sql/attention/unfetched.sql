-- Purpose: where batches ended between an id and its record, the identifier is due: alone it brings the record.
-- Parameters: account.
-- Row count: identifiers.
update attention.asked q set due_at = greatest(now(), q.asked_at + interval '1 microsecond')
from attention.tracked_identifier i join attention.tracked_output t on t.account = i.account and t.tracked = i.tracked
where q.account = %(account)s and q.answer = 'tracked' and q.due_at > now() and t.fetched_at is null and t.failed is null
    and i.account = q.account and i.scheme = q.scheme and i.value = q.value
