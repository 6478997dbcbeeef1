-- Purpose: every sound record is the output of its own key (sources whose records are outputs).
-- Row count: sound records.
insert into output_record (record, key)
select o.record, o.key
from output o
where not exists (select from verdict v where v.entity = 'output' and v.record = o.record)
