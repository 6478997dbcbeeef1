-- Purpose: forgets the counts of today's earlier snapshots, where a tracked output changed twice in a day.
-- Parameters: account.
-- Row count: counts.
with again as materialized (  -- few or none, whatever statistics say of an account that fills up
    select t.account, t.tracked
    from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
    where t.snapshot_day = current_date and t.digest is distinct from r.digest
)
delete from attention.snapshot_source s using again a
where s.account = a.account and s.tracked = a.tracked and s.day = current_date
