-- Purpose: published outputs that are there no more: absent from the list of all keys, where the source has one and it was
--   read to its end. What was read itself is judged by what was read.
-- Parameters: institution.
-- Row count: those outputs.
insert into absent (key)
select w.key
from warehouse.research_output w
where w.institution = %(institution)s
    and exists (select from part where scope = 'keys')
    and not exists (select from part where scope = 'keys' and (incomplete is not null or not done))
    and not exists (select from listed l where l.key = w.key)
    and not exists (select from output o where o.key = w.key)
