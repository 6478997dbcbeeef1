-- Purpose: the outputs with the highest scores, ten at most; items are numbered by score.
-- Parameters: institution.
-- Row count: places.
insert into attention.rollup_top (institution, kind, key, position, tracked, output_key, score)
select %(institution)s, p.kind, p.key, p.position, i.tracked, p.output_key, i.score
from (
    select kind, key, item, output_key, row_number() over (partition by kind, key order by item) as position
    from placed where item is not null
) p join item i using (item)
where p.position <= 10 and i.mentions > 0
