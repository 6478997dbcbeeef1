-- Purpose: an output that would come back with none of its authors, since privacy has hidden them, stays away where the
--   institution removes such (integration guide, "Post synchronization clean-up"). One that had none comes back. The history
--   no longer names who is hidden; that somebody is missing shows in the fingerprint.
-- Parameters: policy, as in orphans/remove.
-- Row count: outputs that stay away.
with authorless as (
    delete from desired_output d using target t
    where %(policy)s = 'remove_authorless_and_privacy' and t.entity = 'output' and t.key = d.key
        and d.fingerprint <> (t.document ->> 'fingerprint')::uuid
        and not exists (select from desired_authorship a where a.output_key = d.key)
    returning d.key
)
update target set document = null where entity = 'output' and key in (select key from authorless)
