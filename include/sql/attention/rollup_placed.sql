-- Purpose: where each output counts: the institution, every department that it stands in or below, its authors.
-- Parameters: institution.
-- Row count: placed outputs.
insert into placed (kind, key, output_key, item)
with recursive below as (
    select key as top, key from warehouse.department where institution = %(institution)s
    union
    select b.top, p.department_key
    from below b join warehouse.department_parent p on p.institution = %(institution)s and p.parent_key = b.key
), place as (
    select 'institution' as kind, '' as key, key as output_key from warehouse.research_output where institution = %(institution)s
    union all
    select distinct 'department', b.top, d.output_key
    from below b join warehouse.output_department d on d.institution = %(institution)s and d.department_key = b.key
    union all
    select 'author', author_key, output_key from warehouse.authorship where institution = %(institution)s
)
select p.kind, p.key, p.output_key, i.item
from place p
left join attention.link l on l.institution = %(institution)s and l.output_key = p.output_key
left join item i on i.tracked = l.tracked
