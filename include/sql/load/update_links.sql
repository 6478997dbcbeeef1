-- Purpose: changes what hangs on things that are updated and goes on hanging there, but says something else now.
-- Parameters: entity, institution. Identifiers: published and desired, the table and its counterpart in staging; owner, the column that
--   names the thing; same, the comparison of the columns of its key; differs, that of the others; assignments, their new values.
-- Row count: rows changed.
update {published} t
set {assignments}
from {desired} n join delta d on d.entity = %(entity)s and d.action = 'update' and d.key = n.{owner}
where t.institution = %(institution)s and {same} and ({differs})
