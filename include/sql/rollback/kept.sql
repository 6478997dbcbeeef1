-- Purpose: what would go, since it came later, but what stays as it is still names, stays too: authors who are credited on such
--   an output, departments of such an output, author or department, and all above them.
-- Parameters: institution.
-- Row count: departments that stay.
with recursive outputs as (
    select key from warehouse.research_output w
    where institution = %(institution)s and not exists (select from target t where t.entity = 'output' and t.key = w.key)
), credited as (
    delete from target t
    where t.entity = 'author' and t.document is null and exists (
        select from warehouse.authorship a join outputs o on o.key = a.output_key
        where a.institution = %(institution)s and a.author_key = t.key)
    returning key
), named as (
    select d.department_key as key from warehouse.output_department d join outputs o on o.key = d.output_key
    where d.institution = %(institution)s
    union
    select d.department_key from warehouse.authorship_department d join outputs o on o.key = d.output_key
    where d.institution = %(institution)s
    union
    select d.department_key from warehouse.author_department d
    where d.institution = %(institution)s and (
        d.author_key in (select key from credited)
        or not exists (select from target t where t.entity = 'author' and t.key = d.author_key))
    union
    select p.parent_key from warehouse.department_parent p
    where p.institution = %(institution)s
        and not exists (select from target t where t.entity = 'department' and t.key = p.department_key)
), going as (
    select key from target where entity = 'department' and document is null
), stays as (
    select key from going where key in (select key from named)
    union
    select p.parent_key from stays s join warehouse.department_parent p
        on p.institution = %(institution)s and p.department_key = s.key
    where p.parent_key in (select key from going)
)
delete from target where entity = 'department' and document is null and key in (select key from stays)
