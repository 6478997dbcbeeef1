-- Purpose: the last verdicts: of the records that make one output one is kept, the others are merged into it.
--   In the order of the index that takes them, or else each lands on another page of it.
-- Row count: records that are published.
insert into verdict (entity, record, verdict, stage, rule)
select entity, record, verdict, stage, rule
from (
    select 'output', record, case when record = min(record) over (partition by key) then 'kept' else 'merged' end,
        'clean_up_orphans', 'published'
    from output_record r
    where not exists (select from verdict v where v.entity = 'output' and v.record = r.record)
    union all
    select 'author', record, 'kept', 'clean_up_orphans', 'published'
    from author a where not exists (select from verdict v where v.entity = 'author' and v.record = a.record)
    union all
    select 'department', record, 'kept', 'clean_up_orphans', 'published'
    from department d where not exists (select from verdict v where v.entity = 'department' and v.record = d.record)
) ended (entity, record, verdict, stage, rule)
order by entity, record
