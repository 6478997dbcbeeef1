-- Purpose: the scope of authors: all where people were read whole or everything was read, else those whose outputs,
--   old or new, are in scope, and those of departments that went.
-- Parameters: institution; whole.
-- Row count: authors in scope.
insert into scope (entity, key, cause)
select 'author', key, min(cause)
from (
    select a.key, 'read' as cause
    from author a join verdict v on v.entity = 'author' and v.record = a.record and v.verdict <> 'duplicate'
    union all
    select distinct author_key, 'read' from desired_authorship
    union all
    select key, 'whole' from warehouse.author where institution = %(institution)s and %(whole)s
    union all
    select distinct a.author_key, 'reexamined'
    from scope s join warehouse.authorship a on a.institution = %(institution)s and a.output_key = s.key
    where s.entity = 'output'
    union all
    select a.author_key, 'reexamined' from warehouse.author_department a
    where a.institution = %(institution)s and not exists (select from desired_department d where d.key = a.department_key)
) keys
group by key
