-- Purpose: published outputs that are not among the keys of all outputs: asked for once more by key before they count as
--   gone, since numbered pages shift while somebody edits.
-- Parameters: institution.
-- Row count: keys.
select w.key
from warehouse.research_output w
where w.institution = %(institution)s
    and exists (select from part where scope = 'keys')
    and not exists (select from listed l where l.key = w.key)
    and not exists (select from output o where o.key = w.key)
order by w.key
