-- Purpose: authors of sources that list people: everybody who passed, with outputs or without.
-- Row count: links from authors to departments.
with passed as (
    select a.* from author a join verdict v on v.entity = 'author' and v.record = a.record and v.verdict = 'kept'
), people as (
    insert into desired_author (key, name, ids) select key, name, ids from passed
)
insert into desired_author_department (author_key, department_key)
select distinct p.key, d.key
from passed p cross join lateral unnest(p.departments) as named (key) join desired_department d on d.key = named.key
