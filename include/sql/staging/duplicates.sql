-- Purpose: of several copies of one record, one counts: the newest datestamp, then the newest answer of the server, then
--   deleted before live, then the content, so that the result never depends on the order of reading.
-- Row count: copies set aside.
insert into verdict (entity, record, verdict, stage, rule)
select entity, record, 'duplicate', 'extract', 'same_record'
from (
    select 'output' as entity, record, row_number() over (
        partition by key order by datestamp desc nulls last, clock desc nulls last, deleted desc, content desc, record desc
    ) as place
    from output where key in (select key from output group by key having count(*) > 1)
    union all
    select 'author', record, row_number() over (
        partition by key order by datestamp desc nulls last, clock desc nulls last, deleted desc, content desc, record desc
    )
    from author where key in (select key from author group by key having count(*) > 1)
    union all
    select 'department', record, row_number() over (
        partition by key order by clock desc nulls last, content desc, record desc
    )
    from department where key in (select key from department group by key having count(*) > 1)
) copies
where place > 1
