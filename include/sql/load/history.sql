-- Purpose: writes the history of an import: what each thing was before. A first import has none.
-- Parameters: institution, import_id.
-- Row count: changes.
insert into ops.change (institution, import_id, entity, key, action, reason, old, blanked)
select %(institution)s, %(import_id)s, entity, key, action, reason,
    case when reason <> 'privacy' then old end, reason = 'privacy'
from delta
