-- Purpose: the tracked outputs of each part, each once: one that several outputs are stands in the departments of all of them.
-- Parameters: institution.
-- Row count: tracked outputs of parts.
insert into placed (part, item)
with credit as (
    select p.place, s.item, s.shared
    from warehouse.authorship a
    join place p on p.kind = 'author' and p.key = a.author_key
    join standing s on s.key = a.output_key
    where a.institution = %(institution)s and s.item is not null
), several as (
    select s.item, coalesce(array_agg(distinct d.place order by d.place) filter (where d.place is not null), '{}') as departments
    from standing s left join lateral unnest(s.departments) as d (place) on true
    where s.shared group by s.item
)
select p.part, s.item from standing s join part p using (departments) where s.item is not null and not s.shared
union all
select p.part, s.item from several s join part p using (departments)
union all
select place, item from credit where not shared
union all
select distinct place, item from credit where shared
