-- Purpose: what the records say of their tracked outputs, and when each is due again: soon where it changes, rarely where not.
-- Parameters: account.
-- Row count: tracked outputs.
update attention.tracked_output t set
    type = r.type, score = r.score, mentions = r.mentions, readers = r.readers, cohorts = r.cohorts, gained = r.gained,
    citations = r.citations, details_url = r.details_url, badge_url = r.badge_url,
    last_mentioned_at = coalesce(r.last_mentioned_at, t.last_mentioned_at), last_seen = now(), fetched_at = now(),
    failed = null, stale_since = null, digest = r.digest,
    snapshot_day = case when t.digest is distinct from r.digest then current_date else t.snapshot_day end,
    changed_at = case when t.digest is distinct from r.digest then now() else t.changed_at end,
    due_at = now() + case
        when t.digest is distinct from r.digest or t.changed_at > now() - interval '7 days' then interval '20 hours'
        when t.changed_at > now() - interval '30 days' then interval '3 days'
        else interval '14 days' end
from record r
where t.account = %(account)s and t.altmetric_id = r.altmetric_id
