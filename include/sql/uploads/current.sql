-- Purpose: the set that the next import of an institution reads: the newest, but for one that was sent for a dry run, was
--   declined, or could not be published when a person sent it (that person was told). A watched file that fails goes on
--   failing until it is mended, and what was published once never gives way to an older set.
-- Parameters: institution.
-- Row count: one, or none where nothing was sent yet.
select u.id
from ops.upload u
left join lateral (
    select i.status from ops.import i where i.upload = u.id and not i.dry_run order by i.id desc limit 1
) last on true
where u.institution = %(institution)s and not u.trial and (
    coalesce(last.status, 'running') <> 'declined' and (u.origin = 'watched' or coalesce(last.status, 'running') <> 'failed')
    or exists (select from ops.import i where i.upload = u.id and i.published_at is not null)
)
order by u.id desc
limit 1
