-- Purpose: what is known of the tracked outputs that an institution's outputs are, a document for each, by first identifier;
--   a file of these documents can be read again as a file of attention records.
-- Parameters: institution; sources, whose data it is by provider.
-- Row count: tracked outputs.
select jsonb_strip_nulls(jsonb_build_object(
    'altmetric_id', t.altmetric_id, 'type', t.type, 'score', t.score, 'mentions', t.mentions, 'citations', t.citations,
    'details_url', t.details_url, 'badge_url', t.badge_url, 'last_mentioned_at', t.last_mentioned_at,
    'readers', t.readers, 'cohorts', t.cohorts, 'gained', t.gained,
    'fetched', t.fetched_at::date,
    'data_from', %(sources)s::jsonb ->> a.provider,
    'sources', coalesce((
        select jsonb_object_agg(n.source, jsonb_build_object('accounts', n.accounts, 'posts', n.posts))
        from attention.snapshot_source n
        where n.account = t.account and n.tracked = t.tracked and n.day = t.snapshot_day), '{}'),
    'identifiers', coalesce((
        select jsonb_agg(jsonb_build_object('scheme', i.scheme, 'value', i.value) order by i.scheme, i.value)
        from attention.tracked_identifier i where i.account = t.account and i.tracked = t.tracked), '[]'),
    'posts', (
        select jsonb_agg(jsonb_build_object('source', m.source, 'key', m.mention, 'outlet', m.outlet,
            'posted_at', m.posted_at, 'link', m.link) order by m.source, m.mention)
        from attention.mention m where m.account = t.account and m.tracked = t.tracked)))::text as record
from attention.tracked_output t
join attention.account a using (account)
where t.fetched_at is not null and (t.account, t.tracked) in (
    select l.account, l.tracked from attention.link l where l.institution = %(institution)s and l.tracked is not null)
order by t.account, t.tracked
