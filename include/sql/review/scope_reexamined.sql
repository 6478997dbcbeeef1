-- Purpose: published outputs that were not read but name a department that came, went or changed its key, or are linked with
--   it: their links to departments are made anew from the groups that the source named.
-- Parameters: institution.
-- Row count: outputs examined again.
insert into scope (entity, key, cause)
with changed as (
    select coalesce(d.key, w.key) as key
    from desired_department d
    full join (select key from warehouse.department where institution = %(institution)s) w on w.key = d.key
    where d.key is null or w.key is null
), turned as (
    select key from changed
    union
    select alias from department_alias where key in (select key from changed)
)
select 'output', o.key, 'reexamined'
from warehouse.research_output o
where o.institution = %(institution)s
    and exists (select from turned)
    and (
        o.groups && (select coalesce(array_agg(key), '{}') from turned)
        or exists (
            select from warehouse.authorship_department a
            where a.institution = %(institution)s and a.output_key = o.key and a.department_key in (select key from turned)
        )
        or exists (
            select from warehouse.output_department l
            where l.institution = %(institution)s and l.output_key = o.key and l.department_key in (select key from turned)
        )
    )
on conflict do nothing
