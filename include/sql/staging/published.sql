-- Purpose: the records that are published, each with the output that it makes (part of).
-- Row count: those records.
insert into published_record (record, key)
select r.record, r.key
from output_record r join verdict v on v.entity = 'output' and v.record = r.record
where v.verdict in ('kept', 'merged')
