-- Purpose: the authors that are put back; one that would go but is still credited on an output that stays, stays.
-- Parameters: institution.
-- Row count: authors put back.
with kept as (
    delete from target t
    where t.entity = 'author' and t.document is null and exists (
        select from warehouse.authorship a where a.institution = %(institution)s and a.author_key = t.key
            and not exists (select from target o where o.entity = 'output' and o.key = a.output_key))
), departments as (
    insert into desired_author_department (author_key, department_key)
    select t.key, d.key
    from target t cross join lateral jsonb_array_elements_text(t.document -> 'departments') as n (key)
    join desired_department d on d.key = n.key
    where t.entity = 'author'
)
insert into desired_author (key, name, ids, fingerprint)
select key, document ->> 'name', document -> 'ids', (document ->> 'fingerprint')::uuid
from target where entity = 'author' and document is not null
