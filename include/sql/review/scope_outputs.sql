-- Purpose: the scope of outputs: what was read; in a whole import everything that is published, since absent is gone;
--   and what is absent from a whole list of keys.
-- Parameters: institution; whole, whether every output of the source was read.
-- Row count: outputs in scope.
insert into scope (entity, key, cause)
select 'output', key, min(cause)
from (
    select key, 'read' as cause from output where key is not null
    union all
    select key, 'read' from output_record
    union all
    select key, 'absent' from absent
    union all
    select key, 'whole' from warehouse.research_output where institution = %(institution)s and %(whole)s
) keys
group by key
