-- Purpose: what an import changed. What a thing was called after it is what the next change of it says that it was before, or
--   what it is called now.
-- Parameters: institution, import_id.
-- Row count: changes.
select c.entity, c.action, c.reason, c.key,
    case
        when c.action = 'remove' then coalesce(c.old ->> 'title', c.old ->> 'name')
        when later.import_id is not null then coalesce(later.old ->> 'title', later.old ->> 'name')
        else coalesce(o.title, a.name, d.name)
    end as name,
    coalesce(c.old ->> 'title', c.old ->> 'name') as name_before
from ops.change c
left join lateral (
    select l.import_id, l.old from ops.change l
    where l.institution = c.institution and l.entity = c.entity and l.key = c.key and l.import_id > c.import_id
    order by l.import_id limit 1
) later on true
left join warehouse.research_output o on c.entity = 'output' and o.institution = c.institution and o.key = c.key
left join warehouse.author a on c.entity = 'author' and a.institution = c.institution and a.key = c.key
left join warehouse.department d on c.entity = 'department' and d.institution = c.institution and d.key = c.key
where c.institution = %(institution)s and c.import_id = %(import_id)s
order by c.entity desc, c.action, c.key
