-- Purpose: the outputs with the highest scores, ten at most: those of a place are among those of its parts, and numbered by
--   score. Of several outputs that are the same tracked one, the first that stands there.
-- Parameters: institution.
-- Row count: outputs.
insert into attention.rollup_top (institution, kind, key, position, tracked, output_key, score)
with best as (
    select r.place, p.item, row_number() over (partition by r.place order by p.item) as position
    from (select part, item, row_number() over (partition by part order by item) as position from placed) p
    join reach r using (part)
    where p.position <= 10
)
select %(institution)s, l.kind, l.key, b.position, i.tracked, coalesce(s.key, (
    select min(m.key) from standing m
    where m.shared and m.item = b.item and case l.kind
        when 'author' then exists (select from warehouse.authorship a
            where a.institution = %(institution)s and a.output_key = m.key and a.author_key = l.key)
        else exists (select from part p join reach r using (part) where p.departments = m.departments and r.place = l.place) end
    )), i.score
from best b
join item i using (item) join place l using (place)
left join standing s on s.item = b.item and not s.shared
where b.position <= 10 and i.mentions > 0
