-- Purpose: the tracked outputs that the answers mean, with the provider's id as of now; a new one's record is due.
-- Parameters: account.
-- Row count: tracked outputs.
insert into attention.tracked_output (account, tracked, altmetric_id, id_seen_at, first_seen, due_at)
select distinct %(account)s, tracked, altmetric_id, now(), now(), now() from answer where answer = 'tracked'
on conflict (account, tracked) do update set
    altmetric_id = excluded.altmetric_id, id_seen_at = now(), stale_since = null,
    due_at = case when tracked_output.altmetric_id = excluded.altmetric_id and tracked_output.stale_since is null
        then tracked_output.due_at else now() end
