-- Purpose: remembers which records the provider did not give though it translates to them; tomorrow they are asked for again.
-- Parameters: account, ids, reason.
-- Row count: tracked outputs.
update attention.tracked_output set failed = %(reason)s, due_at = now() + interval '20 hours'
where account = %(account)s and altmetric_id = any (%(ids)s)
