-- Purpose: what belongs to the outputs examined again, from the warehouse; links to departments from the groups that the
--   source named, as far as these departments are (still) published.
-- Parameters: institution.
-- Row count: links to departments.
with again as (
    select o.key, coalesce(m.sets, o.groups) as groups
    from scope s join warehouse.research_output o on o.institution = %(institution)s and o.key = s.key
    left join membership m on m.key = o.key
    where s.entity = 'output' and s.cause = 'reexamined'
), identifiers as (
    insert into desired_output_identifier (output_key, scheme, value, derived)
    select i.output_key, i.scheme, i.value, i.derived
    from again join warehouse.output_identifier i on i.institution = %(institution)s and i.output_key = again.key
), authorships as (
    insert into desired_authorship (output_key, author_key, position, name, ids, relation)
    select a.output_key, a.author_key, a.position, a.name, a.ids, a.relation
    from again join warehouse.authorship a on a.institution = %(institution)s and a.output_key = again.key
), written_from as (
    insert into desired_authorship_department (output_key, author_key, department_key)
    select a.output_key, a.author_key, a.department_key
    from again join warehouse.authorship_department a on a.institution = %(institution)s and a.output_key = again.key
    join desired_department d on d.key = a.department_key
)
insert into desired_output_department (output_key, department_key)
select distinct again.key, d.key
from again cross join lateral unnest(again.groups) as named (key)
left join department_alias a on a.alias = named.key
join desired_department d on d.key = coalesce(a.key, named.key)
