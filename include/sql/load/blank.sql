-- Purpose: what privacy removed leaves the history, too: the thing itself, and older states of outputs that name a removed
--   author or department.
-- Parameters: institution.
-- Row count: changes blanked.
update ops.change c set old = null, blanked = true
from delta d
where c.institution = %(institution)s and d.reason = 'privacy' and not c.blanked
    and (
        (c.entity = d.entity and c.key = d.key)
        or (d.entity = 'author' and c.entity = 'output'
            and c.old @> jsonb_build_object('authorships', jsonb_build_array(jsonb_build_object('author_key', d.key))))
        or (d.entity = 'department' and c.entity <> 'department' and c.old -> 'departments' ? d.key)
    )
