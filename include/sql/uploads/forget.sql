-- Purpose: empties the content of sets that are no longer of use (it may hold data about persons; the row stays). Kept are
--   the last four published sets, each once, the set that the next import reads, and any that an import reads or may read
--   again.
-- Parameters: institution; current, the set that the next import reads.
-- Row count: sets emptied.
with published as (
    select u.id, max(i.id) as last,
        row_number() over (partition by u.publications_digest, u.hierarchy_digest order by max(i.id) desc) as copy
    from ops.upload u join ops.import i on i.upload = u.id and i.published_at is not null
    where u.institution = %(institution)s and u.publications is not null
    group by u.id
), kept as (
    select id from published where copy = 1 order by last desc limit 4
)
update ops.upload u set publications = null, hierarchy = null
where u.institution = %(institution)s and u.publications is not null
    and u.id not in (select id from kept)
    and u.id is distinct from %(current)s
    and not exists (
        select from ops.import i where i.upload = u.id and (
            i.status in ('running', 'awaiting_approval') or i.status = 'failed' and i.staging_until > now()))
