-- Purpose: the outputs that should be published. Of several rows' titles the longest counts, then the first in byte order.
-- Parameters: institution.
-- Row count: outputs.
insert into desired_output (key, title, type, year, venue, groups)
with own as (
    select r.key,
        (array_agg(o.title order by length(o.title) desc nulls last, o.title collate "C"))[1] as title,
        min(o.type) as type, min(o.year) as year, min(o.venue) as venue
    from published_record r join output o using (record)
    group by r.key
), named as (
    select r.key, array_agg(distinct g.key order by g.key) as groups
    from published_record r join output o using (record) cross join lateral unnest(o.groups) as g (key)
    group by r.key
)
select own.key, own.title, own.type, own.year, own.venue, coalesce(m.sets, named.groups, '{}') as groups
from own left join named using (key) left join membership m using (key)
union all
select o.key, o.title, o.type, o.year, o.venue, coalesce(m.sets, o.groups)
from scope s join warehouse.research_output o on o.institution = %(institution)s and o.key = s.key
left join membership m on m.key = o.key
where s.entity = 'output' and s.cause = 'reexamined'
