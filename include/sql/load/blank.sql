-- Purpose: what privacy removed leaves the history, too.
-- Parameters: institution.
-- Row count: older changes blanked.
update ops.change c set old = null, blanked = true
from delta d
where c.institution = %(institution)s and d.reason = 'privacy' and c.entity = d.entity and c.key = d.key and not c.blanked
