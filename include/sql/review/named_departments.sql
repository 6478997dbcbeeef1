-- Purpose: of the departments that records name in passing, those that a published output names, and all above them, by the
--   keys that they are known by; the others have nobody left.
-- Parameters: institution.
-- Row count: links to parents.
with recursive resolved as (
    select coalesce(child.key, p.department_key) as department_key, coalesce(parent.key, p.parent_key) as parent_key
    from desired_department_parent p
    left join department_alias child on child.alias = p.department_key
    left join department_alias parent on parent.alias = p.parent_key
    where child.key is null
), named as (
    select coalesce(a.key, g.key) as key
    from (
        select unnest(o.groups) as key from published_record r join output o using (record)
        union
        select unnest(c.departments) from published_record r join credit c using (record)
        union
        select unnest(o.groups) from warehouse.research_output o
        where o.institution = %(institution)s
            and not exists (select from scope s where s.entity = 'output' and s.key = o.key)
        union
        select d.department_key from warehouse.authorship_department d
        where d.institution = %(institution)s
            and not exists (select from scope s where s.entity = 'output' and s.key = d.output_key)
    ) g left join department_alias a on a.alias = g.key
), up as (
    select key from named
    union
    select r.parent_key from up join resolved r on r.department_key = up.key
), gone as (
    delete from desired_department d
    where d.key not in (select key from up) or exists (select from department_alias a where a.alias = d.key)
), links as (
    delete from desired_department_parent
)
insert into desired_department_parent (department_key, parent_key)
select distinct r.department_key, r.parent_key
from resolved r
where r.department_key in (select key from up) and r.parent_key <> r.department_key
