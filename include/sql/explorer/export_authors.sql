-- Purpose: an institution's authors, sorted by key.
-- Parameters: institution.
-- Row count: authors.
with recursive path as (
    select d.key, d.name as path from warehouse.department d
    where d.institution = %(institution)s and not exists (
        select from warehouse.department_parent p where p.institution = %(institution)s and p.department_key = d.key)
    union
    select d.key, path.path || ' > ' || d.name
    from path join warehouse.department_parent p on p.institution = %(institution)s and p.parent_key = path.key
    join warehouse.department d on d.institution = %(institution)s and d.key = p.department_key
)
select a.key, a.name, a.ids, coalesce((
    select jsonb_agg(path.path order by path.path)
    from warehouse.author_department d join path on path.key = d.department_key
    where d.institution = %(institution)s and d.author_key = a.key), '[]') as departments
from warehouse.author a
where a.institution = %(institution)s
order by a.key
