-- Purpose: which department stands below which; a parent that is not published leaves its child on level 1.
-- Row count: parent links.
insert into desired_department_parent (department_key, parent_key)
select distinct d.key, parent.key
from department d
join verdict v on v.entity = 'department' and v.record = d.record and v.verdict = 'kept'
cross join lateral unnest(d.parents) as named (key)
join (
    select d.key from department d join verdict v on v.entity = 'department' and v.record = d.record and v.verdict = 'kept'
) parent on parent.key = named.key
where parent.key <> d.key
