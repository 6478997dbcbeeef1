-- Purpose: the scope of departments: they are read whole at every import, so all of them.
-- Parameters: institution.
-- Row count: departments in scope.
insert into scope (entity, key, cause)
select 'department', key, 'whole' from warehouse.department where institution = %(institution)s
union
select 'department', key, 'whole' from desired_department
