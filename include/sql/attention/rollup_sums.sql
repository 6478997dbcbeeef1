-- Purpose: the sums of everything that can be listed, also where nothing was published or is tracked.
-- Parameters: institution.
-- Row count: sums.
insert into attention.rollup (institution, kind, key, outputs, tracked, with_attention, mentions, mentions_week, score_week)
with sums as (
    select o.kind, o.key, sum(o.outputs) as outputs, count(o.item) as tracked,
        count(*) filter (where i.mentions > 0) as with_attention, coalesce(sum(i.mentions), 0) as mentions,
        coalesce(sum(i.mentions_week), 0) as mentions_week, coalesce(sum(i.score_week), 0) as score_week
    from placed o left join item i using (item) group by o.kind, o.key
), listed as (
    select 'institution' as kind, '' as key
    union all select 'department', key from warehouse.department where institution = %(institution)s
    union all select 'author', key from warehouse.author where institution = %(institution)s
)
select %(institution)s, l.kind, l.key, coalesce(s.outputs, 0), coalesce(s.tracked, 0), coalesce(s.with_attention, 0),
    coalesce(s.mentions, 0), coalesce(s.mentions_week, 0), coalesce(s.score_week, 0)
from listed l left join sums s on s.kind = l.kind and s.key = l.key
