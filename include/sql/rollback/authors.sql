-- Purpose: the authors that are put back.
-- Parameters: none.
-- Row count: authors put back.
with departments as (
    insert into desired_author_department (author_key, department_key)
    select t.key, d.key
    from target t cross join lateral jsonb_array_elements_text(t.document -> 'departments') as n (key)
    join desired_department d on d.key = n.key
    where t.entity = 'author'
)
insert into desired_author (key, name, ids)
select key, document ->> 'name', document -> 'ids'
from target where entity = 'author' and document is not null
