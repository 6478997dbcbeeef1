-- Purpose: departments that this import did not read, or did not read whole, stay as they are published.
-- Parameters: institution.
-- Row count: departments taken over.
with taken as (
    insert into desired_department (key, name, fingerprint)
    select d.key, d.name, d.fingerprint from warehouse.department d
    where d.institution = %(institution)s and not exists (select from desired_department n where n.key = d.key)
    returning key
)
insert into desired_department_parent (department_key, parent_key)
select p.department_key, p.parent_key
from warehouse.department_parent p join taken on taken.key = p.department_key
where p.institution = %(institution)s
