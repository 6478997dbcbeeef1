-- Purpose: records that could not be read from what the source sent, with the reason that the parser gave.
-- Row count: those records.
insert into verdict (entity, record, verdict, stage, rule, reason, field, value)
select distinct on (entity, record) entity, record, 'rejected', 'extract', rule, reason, field, value
from refusal
order by entity, record, rule, field
on conflict do nothing
