-- Purpose: the records of an import that are not published for a reason of their own.
-- Parameters: import_id.
-- Row count: records.
select verdict, entity, key, place, stage, rule, reason, field, value, payload
from ops.rejected_record where import_id = %(import_id)s
order by verdict desc, entity, length(place), place collate "C", rule
