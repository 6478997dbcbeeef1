-- Purpose: the counts by source of the new snapshots.
-- Parameters: account.
-- Row count: counts.
insert into attention.snapshot_source (account, tracked, day, source, accounts, posts)
select t.account, t.tracked, current_date, s.source, s.accounts, s.posts
from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
cross join jsonb_to_recordset(r.sources) as s (source text, accounts bigint, posts bigint)
where t.digest is distinct from r.digest
