-- Purpose: parts, which are summed up once and then counted wherever they belong: the outputs of an author (numbered as that
--   place is), and those that stand in exactly the same departments.
-- Parameters: institution.
-- Row count: parts.
insert into part (part, outputs, departments)
with stands as (
    select departments, count(*) as outputs from standing group by departments
), several as (
    select coalesce(array_agg(distinct d.place order by d.place) filter (where d.place is not null), '{}') as departments
    from standing s left join lateral unnest(s.departments) as d (place) on true
    where s.shared group by s.item
), known as (
    select departments, sum(outputs) as outputs
    from (select * from stands union all select departments, 0 from several) k group by departments
)
select (select max(place) from place) + row_number() over (), outputs, departments from known
union all
select p.place, count(*), null
from warehouse.authorship a join place p on p.kind = 'author' and p.key = a.author_key
where a.institution = %(institution)s group by p.place
