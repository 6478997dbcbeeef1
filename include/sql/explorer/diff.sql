-- Purpose: what an import changed.
-- Parameters: institution, import_id.
-- Row count: changes.
select c.entity, c.action, c.reason, c.key,
    coalesce(o.title, a.name, d.name, c.old ->> 'title', c.old ->> 'name') as name,
    coalesce(c.old ->> 'title', c.old ->> 'name') as name_before
from ops.change c
left join warehouse.research_output o on c.entity = 'output' and o.institution = c.institution and o.key = c.key
left join warehouse.author a on c.entity = 'author' and a.institution = c.institution and a.key = c.key
left join warehouse.department d on c.entity = 'department' and d.institution = c.institution and d.key = c.key
where c.institution = %(institution)s and c.import_id = %(import_id)s
order by c.entity desc, c.action, c.key
