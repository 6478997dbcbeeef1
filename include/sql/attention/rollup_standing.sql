-- Purpose: each output with the tracked output that it is, if any, whether others are the same one, and where it stands.
-- Parameters: institution.
-- Row count: outputs.
insert into standing (key, item, shared, departments)
select o.key, i.item, coalesce(i.outputs > 1, false), coalesce(d.departments, '{}')
from warehouse.research_output o
left join attention.link l on l.institution = %(institution)s and l.output_key = o.key
left join item i on i.account = l.account and i.tracked = l.tracked
left join (
    select d.output_key, array_agg(p.place order by p.place) as departments
    from warehouse.output_department d join place p on p.kind = 'department' and p.key = d.department_key
    where d.institution = %(institution)s group by d.output_key
) d on d.output_key = o.key
where o.institution = %(institution)s
