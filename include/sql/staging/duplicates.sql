-- Purpose: of several copies of one record, one counts: the newest datestamp, then the newest answer of the server, then
--   deleted before live, then the content, so that the result never depends on the order of reading. Where records live
--   by set, that holds within a set; a record that some set has is not deleted, whatever others say of it. A department
--   that records name in passing is called what the newest of them calls it. What one copy withholds (two interfaces of one
--   source, or a change while it was read) is withheld: where the newer one was right, the next import hears of it.
-- Row count: copies set aside.
insert into verdict (entity, record, verdict, stage, rule)
select entity, record, 'duplicate', 'extract', 'same_record'
from (
    select 'output' as entity, record, row_number() over (
        partition by key order by withheld is null, rank_in_set > 1, via is not null and deleted,
            datestamp desc nulls last, clock desc nulls last, deleted desc, content desc, record desc
    ) as place
    from (
        select o.*, p.via, row_number() over (
            partition by o.key, p.via
            order by o.datestamp desc nulls last, o.clock desc nulls last, o.deleted desc, o.content desc, o.record desc
        ) as rank_in_set
        from output o left join part p on p.number = o.record >> 50
        where o.key in (select key from output group by key having count(*) > 1)
    ) in_set
    union all
    select 'author', record, row_number() over (
        partition by key order by datestamp desc nulls last, clock desc nulls last, deleted desc, content desc, record desc
    )
    from author where key in (select key from author group by key having count(*) > 1)
    union all
    select 'department', record, row_number() over (
        partition by key order by datestamp desc nulls last, case when datestamp is null then clock end desc nulls last,
            content desc, record desc
    )
    from department where key in (select key from department group by key having count(*) > 1)
) copies
where place > 1
