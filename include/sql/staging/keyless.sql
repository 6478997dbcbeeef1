-- Purpose: records without a key, from a source whose records have keys of their own: nothing could be published under them.
-- Row count: those records.
insert into verdict (entity, record, verdict, stage, rule, reason, field)
select 'output', o.record, 'rejected', 'validate', 'no_key', 'the record has no identifier of its own at the source', 'key'
from output o
where o.key is null and not exists (select from verdict v where v.entity = 'output' and v.record = o.record)
