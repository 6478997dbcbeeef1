-- Purpose: which of these records are still due: another import may have fetched them meanwhile.
-- Parameters: account, ids.
-- Row count: provider's ids.
select distinct altmetric_id from attention.tracked_output
where account = %(account)s and altmetric_id = any (%(ids)s) and due_at <= now() and stale_since is null
