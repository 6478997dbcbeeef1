-- Purpose: where a source lists authorships, an output belongs to the departments of those who are shown to have written it,
--   unless the source says itself which departments it was written from.
-- Row count: outputs that belong somewhere.
update output o
set groups = placed.groups
from (
    select c.record, array_agg(distinct named.key order by named.key) as groups
    from credit c join authorship r on r.key = c.relation and r.departments is null
    cross join lateral unnest(c.departments) as named (key)
    join department d on d.key = named.key
        and not exists (select from verdict v where v.entity = 'department' and v.record = d.record)
    group by c.record
) placed
where placed.record = o.record
