-- Purpose: an institution's departments, sorted by key, with the distinct outputs placed on each and on it and all below.
--   One that stands below two parents has a row for each path.
-- Parameters: institution.
-- Row count: departments' paths.
with recursive path as (
    select d.key, d.name as path, 1 as level from warehouse.department d
    where d.institution = %(institution)s and not exists (
        select from warehouse.department_parent p where p.institution = %(institution)s and p.department_key = d.key)
    union
    select d.key, path.path || ' > ' || d.name, path.level + 1
    from path join warehouse.department_parent p on p.institution = %(institution)s and p.parent_key = path.key
    join warehouse.department d on d.institution = %(institution)s and d.key = p.department_key
), below as (
    select key as top, key from warehouse.department where institution = %(institution)s
    union
    select below.top, p.department_key
    from below join warehouse.department_parent p on p.institution = %(institution)s and p.parent_key = below.key
), direct as (
    select department_key, count(*) as outputs from warehouse.output_department
    where institution = %(institution)s group by department_key
), rolled_up as (
    select below.top, count(distinct d.output_key) as outputs
    from below join warehouse.output_department d on d.institution = %(institution)s and d.department_key = below.key
    group by below.top
)
select path.key, path.path, path.level, coalesce(direct.outputs, 0) as outputs_direct,
    coalesce(rolled_up.outputs, 0) as outputs_rolled_up
from path left join direct on direct.department_key = path.key left join rolled_up on rolled_up.top = path.key
order by path.key, path.path
