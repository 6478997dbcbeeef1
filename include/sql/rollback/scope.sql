-- Purpose: the scope of a rollback: what changed since, and all departments.
-- Parameters: institution.
-- Row count: things in scope.
insert into scope (entity, key, cause)
select entity, key, case when document is null then 'gone' else 'reexamined' end from target where entity <> 'department'
union
select 'department', key, 'reexamined' from desired_department
union
select 'department', key, 'reexamined' from warehouse.department where institution = %(institution)s
