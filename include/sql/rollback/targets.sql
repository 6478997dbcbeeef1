-- Purpose: what each thing that changed after an import was right after it: the earliest state kept since; nothing, where it
--   came since. Left out is what privacy has touched since, and, where the source knows privacy, what went as absent (deleted,
--   or merged into what has the same identifier): it may have turned private, of which no source tells more to a login that
--   may not see it.
-- Parameters: institution; to_import; knows_privacy.
-- Row count: things to be put back (those that did not exist have no document).
insert into target (entity, key, document)
select entity, key, old
from (
    select distinct on (c.entity, c.key) c.entity, c.key, c.action, c.old
    from ops.change c
    where c.institution = %(institution)s and c.import_id > %(to_import)s
    order by c.entity, c.key, c.import_id
) first
where action = 'add' or not exists (
    select from ops.change later
    where later.institution = %(institution)s and later.entity = first.entity and later.key = first.key
        and later.import_id > %(to_import)s
        and (later.blanked or (%(knows_privacy)s and later.action = 'remove'
            and later.reason in ('absent', 'deleted', 'merged', 'rekeyed')))
)
