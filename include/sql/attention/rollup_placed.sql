-- Purpose: where each tracked output counts, with how many outputs: the institution, every department that these stand in or
--   below, their authors. Those that are not tracked are one row for each place.
-- Parameters: institution.
-- Row count: places of tracked outputs.
insert into placed (kind, key, item, outputs, output_key)
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
select p.kind, p.key, l.item, count(*), min(p.output_key)
from place p
left join (
    select l.output_key, i.item from attention.link l join item i using (tracked) where l.institution = %(institution)s
) l using (output_key)
group by p.kind, p.key, l.item
