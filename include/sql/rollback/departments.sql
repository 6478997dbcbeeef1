-- Purpose: the departments as they were: those that did not change since stay, the others are put back.
-- Parameters: institution.
-- Row count: departments put back.
with changed as (
    delete from desired_department d using target t where t.entity = 'department' and t.key = d.key
), parents_of_changed as (
    delete from desired_department_parent p using target t where t.entity = 'department' and t.key = p.department_key
), parents as (
    insert into desired_department_parent (department_key, parent_key)
    select t.key, p.key
    from target t cross join lateral jsonb_array_elements_text(t.document -> 'parents') as p (key)
    where t.entity = 'department'
        and (exists (select from target o where o.entity = 'department' and o.key = p.key and o.document is not null)
            or (not exists (select from target o where o.entity = 'department' and o.key = p.key)
                and exists (select from warehouse.department w where w.institution = %(institution)s and w.key = p.key)))
)
insert into desired_department (key, name)
select key, document ->> 'name'
from target where entity = 'department' and document is not null
