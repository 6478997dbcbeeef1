-- Purpose: the outputs that are put back, with what hung on them, as far as its other end is there.
-- Parameters: institution.
-- Row count: outputs put back.
with put_back as (
    select key, document from target where entity = 'output' and document is not null
), authors as (
    select key from desired_author
    union
    select w.key from warehouse.author w
    where w.institution = %(institution)s and not exists (select from target t where t.entity = 'author' and t.key = w.key)
), identifiers as (
    insert into desired_output_identifier (output_key, scheme, value, derived)
    select p.key, i.scheme, i.value, i.derived
    from put_back p
    cross join lateral jsonb_to_recordset(p.document -> 'identifiers') as i (scheme text, value text, derived boolean)
), credits as (
    select p.key, a.*
    from put_back p cross join lateral jsonb_to_recordset(p.document -> 'authorships')
        as a (author_key text, position integer, name text, ids jsonb, relation text, departments jsonb)
    join authors on authors.key = a.author_key
), authorships as (
    insert into desired_authorship (output_key, author_key, position, name, ids, relation)
    select key, author_key, position, name, ids, relation from credits
), written_from as (
    insert into desired_authorship_department (output_key, author_key, department_key)
    select c.key, c.author_key, d.key
    from credits c cross join lateral jsonb_array_elements_text(c.departments) as n (key)
    join desired_department d on d.key = n.key
), departments as (
    insert into desired_output_department (output_key, department_key)
    select p.key, d.key
    from put_back p cross join lateral jsonb_array_elements_text(p.document -> 'departments') as n (key)
    join desired_department d on d.key = n.key
)
insert into desired_output (key, title, type, year, venue, groups)
select p.key, p.document ->> 'title', p.document ->> 'type', (p.document ->> 'year')::integer, p.document ->> 'venue',
    array(select jsonb_array_elements_text(p.document -> 'groups'))
from put_back p
