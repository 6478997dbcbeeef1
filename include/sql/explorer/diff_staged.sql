-- Purpose: what an import would change, from its staging (a dry run, or one that waits for approval).
-- Row count: changes.
select c.entity, c.action, c.reason, c.key,
    coalesce(o.title, a.name, d.name, case when c.reason <> 'privacy' then coalesce(c.old ->> 'title', c.old ->> 'name') end)
        as name,
    case when c.reason <> 'privacy' then coalesce(c.old ->> 'title', c.old ->> 'name') end as name_before
from delta c
left join desired_output o on c.entity = 'output' and o.key = c.key
left join desired_author a on c.entity = 'author' and a.key = c.key
left join desired_department d on c.entity = 'department' and d.key = c.key
order by c.entity desc, c.action, c.key
