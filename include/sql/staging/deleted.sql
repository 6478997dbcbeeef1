-- Purpose: records that the source reports as deleted.
-- Row count: those records.
insert into verdict (entity, record, verdict, stage, rule)
select entity, record, 'deleted', 'extract', 'deleted_at_source'
from (
    select 'output' as entity, record from output where deleted
    union all
    select 'author', record from author where deleted
) gone
on conflict do nothing
