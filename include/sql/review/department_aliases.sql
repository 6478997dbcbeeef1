-- Purpose: departments that records name in passing: one that is named by its path (`path:A > B`) or by its name alone
--   (`name:B`) is the same as the one with an id that goes by these names; of several, the one with the least key.
-- Row count: names by which departments go.
insert into department_alias (alias, key)
with recursive way (key, path, depth) as (
    select d.key, d.name, 1 from desired_department d
    where not exists (select from desired_department_parent p where p.department_key = d.key)
    union
    select d.key, w.path || ' > ' || d.name, w.depth + 1
    from way w
    join desired_department_parent p on p.parent_key = w.key
    join desired_department d on d.key = p.department_key
    where w.depth < 50
), known as (
    select 'path:' || case when length(path) > 150 then md5(path) else path end as alias, key from way
    where key not like 'path:%' and key not like 'name:%'
    union all
    select 'name:' || case when length(name) > 150 then md5(name) else name end, key from desired_department
    where key not like 'name:%'
)
select distinct on (alias) alias, key from known order by alias, key like 'path:%', key
