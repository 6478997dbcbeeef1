-- Purpose: the imports of an institution, newest first: what each changed, and whether a rollback can go back to it.
-- Parameters: institution.
-- Row count: imports.
select i.id as import, to_char(i.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as started_at, i.kind, i.mode, i.status,
    changed.added, changed.updated, changed.removed, changed.published,
    i.published_at is not null and i.kind <> 'purge' and i.id >= s.history_from as rollback_to, i.reason
from ops.import i
join ops.institution s on s.slug = i.institution
left join lateral (
    select (i.tally #>> '{outputs,added}')::int as added, (i.tally #>> '{outputs,updated}')::int as updated,
        (i.tally #>> '{outputs,removed}')::int as removed, (i.tally #>> '{outputs,published}')::int as published
) changed on i.published_at is not null
where i.institution = %(institution)s
order by i.id desc
