-- Purpose: numbers everything that has sums: the institution, its departments, its authors. Numbers join faster than keys.
-- Parameters: institution.
-- Row count: places.
insert into place (place, kind, key)
select row_number() over (), kind, key
from (
    select 'institution' as kind, '' as key
    union all select 'department', key from warehouse.department where institution = %(institution)s
    union all select 'author', key from warehouse.author where institution = %(institution)s
) p
