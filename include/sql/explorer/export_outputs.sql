-- Purpose: an institution's outputs, sorted by key.
-- Parameters: institution.
-- Row count: outputs.
with recursive path as (
    select d.key, d.name as path from warehouse.department d
    where d.institution = %(institution)s and not exists (
        select from warehouse.department_parent p where p.institution = %(institution)s and p.department_key = d.key)
    union
    select d.key, path.path || ' > ' || d.name
    from path join warehouse.department_parent p on p.institution = %(institution)s and p.parent_key = path.key
    join warehouse.department d on d.institution = %(institution)s and d.key = p.department_key
), identifiers as (
    select output_key, jsonb_object_agg(scheme, identifier_values) as of
    from (
        select output_key, scheme, jsonb_agg(value order by value) as identifier_values
        from warehouse.output_identifier where institution = %(institution)s and not derived group by output_key, scheme
    ) i group by output_key
), authors as (
    select s.output_key, jsonb_agg(jsonb_build_object('key', a.key, 'name', a.name) order by s.position, a.key) as of
    from warehouse.authorship s join warehouse.author a on a.institution = %(institution)s and a.key = s.author_key
    where s.institution = %(institution)s group by s.output_key
), departments as (
    select d.output_key, jsonb_agg(path.path order by path.path) as of
    from warehouse.output_department d join path on path.key = d.department_key
    where d.institution = %(institution)s group by d.output_key
)
select o.key, o.title, o.type, o.year, coalesce(identifiers.of, '{}') as identifiers, coalesce(authors.of, '[]') as authors,
    coalesce(departments.of, '[]') as departments
from warehouse.research_output o
left join identifiers on identifiers.output_key = o.key
left join authors on authors.output_key = o.key
left join departments on departments.output_key = o.key
where o.institution = %(institution)s
order by o.key
