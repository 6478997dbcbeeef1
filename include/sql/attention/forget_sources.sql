-- Purpose: forgets the counts of today's earlier snapshots, where a tracked output changed twice in a day.
-- Parameters: account.
-- Row count: counts.
delete from attention.snapshot_source s
using record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
where s.account = t.account and s.tracked = t.tracked and s.day = current_date and t.digest is distinct from r.digest
