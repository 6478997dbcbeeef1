-- Purpose: stores one of the sets that were published before as the newest, to be published again.
-- Parameters: institution; id; by; trial.
-- Row count: one, with its number; none where its content is gone, it was never published, or there is no such set.
insert into ops.upload (
    institution, uploaded_by, origin, again_of, trial, publications_name, publications_digest, publications_bytes,
    publications, hierarchy_name, hierarchy_digest, hierarchy_bytes, hierarchy, report
)
select institution, %(by)s, 'again', id, %(trial)s, publications_name, publications_digest, publications_bytes, publications,
    hierarchy_name, hierarchy_digest, hierarchy_bytes, hierarchy, report
from ops.upload u
where institution = %(institution)s and id = %(id)s and publications is not null
    and exists (select from ops.import i where i.upload = u.id and i.published_at is not null)
returning id
