-- Purpose: the sums of everything that can be listed, also where nothing was published or is tracked.
-- Parameters: institution.
-- Row count: sums.
insert into attention.rollup (institution, kind, key, outputs, tracked, with_attention, mentions, mentions_week, score_week)
with parts as (
    select p.part, count(*) as tracked, count(*) filter (where i.mentions > 0) as with_attention, sum(i.mentions) as mentions,
        sum(i.mentions_week) as mentions_week, sum(i.score_week) as score_week
    from placed p join item i using (item) group by p.part
), sums as (
    select r.place, sum(p.outputs) as outputs, sum(s.tracked) as tracked, sum(s.with_attention) as with_attention,
        sum(s.mentions) as mentions, sum(s.mentions_week) as mentions_week, sum(s.score_week) as score_week
    from reach r join part p using (part) left join parts s using (part) group by r.place
)
select %(institution)s, l.kind, l.key, coalesce(s.outputs, 0), coalesce(s.tracked, 0), coalesce(s.with_attention, 0),
    coalesce(s.mentions, 0), coalesce(s.mentions_week, 0), coalesce(s.score_week, 0)
from place l left join sums s using (place)
