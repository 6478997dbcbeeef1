-- Purpose: the sets that an institution sent, newest first, and what became of them.
-- Parameters: institution; current, the set that the next import reads.
-- Row count: sets.
select u.id, u.uploaded_at, u.uploaded_by, u.origin, u.again_of, u.publications_name, u.publications_digest, u.hierarchy_name,
    u.hierarchy_digest, (u.report ->> 'uploaded')::bigint as rows_uploaded, (u.report ->> 'valid')::bigint as rows_valid,
    (u.report ->> 'rejected')::bigint as rows_rejected, u.report ->> 'refused' as refused, last.id as import_id,
    case when u.trial then 'dry run' else coalesce(last.status, 'not imported') end as state, published.at as published_at,
    coalesce(u.id = %(current)s, false) as current,
    published.at is not null and u.publications is not null as can_be_published_again
from ops.upload u
left join lateral (select id, status from ops.import i where i.upload = u.id order by id desc limit 1) last on true
left join lateral (select max(published_at) as at from ops.import i where i.upload = u.id) published on true
where u.institution = %(institution)s
order by u.id desc
