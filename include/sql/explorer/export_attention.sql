-- Purpose: the attention of an institution's outputs, or why there is none, sorted by key; with whose data it is.
-- Parameters: institution; sources, whose data it is by provider.
-- Row count: outputs.
select o.key, coalesce(l.state, 'not_asked_yet') as state, l.scheme || ':' || l.value as found_by, t.score, t.mentions,
    coalesce(s.sources, '{}') as sources, coalesce(t.readers, '{}') as readers, t.details_url, t.badge_url,
    t.first_seen::date::text as first_seen, t.fetched_at::date::text as fetched, t.stale_since is not null as stale, l.others,
    %(sources)s::jsonb ->> a.provider as data_from
from warehouse.research_output o
left join attention.link l on l.institution = o.institution and l.output_key = o.key
left join attention.tracked_output t on t.account = l.account and t.tracked = l.tracked
left join attention.account a on a.account = l.account
left join lateral (
    select jsonb_object_agg(n.source, coalesce(n.accounts, n.posts)) as sources from attention.snapshot_source n
    where n.account = t.account and n.tracked = t.tracked and n.day = t.snapshot_day and coalesce(n.accounts, n.posts) > 0) s on true
where o.institution = %(institution)s
order by o.key
