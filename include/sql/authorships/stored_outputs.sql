-- Purpose: where a source lists authorships, published outputs that were not read but whose authors, as they are shown, are
--   no longer what is published (or that are left without any author at all, where those are removed; or that are listed
--   with other departments; or from which something was taken at once, since it turned private): they are staged as they
--   are published, to be computed again with the others. Authorships, people and departments were read whole.
-- Parameters: institution; levels; policy, that of orphans; first, the number of the first such record.
-- Row count: identifiers of these outputs.
with shown as (
    select r.output, r.author, r.key as relation, r.position, a.name,
        coalesce(r.departments, a.departments) as departments
    from authorship r
    join author a on a.key = r.author and not exists (select from verdict v where v.entity = 'author' and v.record = a.record)
    where r.level = any(%(levels)s)
), now_credited as (
    select output, author, row_number() over (partition by output order by min(position), author) as position,
        name, min(relation) as relation
    from shown group by output, author, name
), now_placed as (
    select distinct s.output, s.author, d.key
    from shown s cross join lateral unnest(s.departments) as named (key)
    join department d on d.key = named.key
        and not exists (select from verdict v where v.entity = 'department' and v.record = d.record)
), unlike as (
    (
        select output from (
            select output, author, position, name, relation from now_credited
            except
            select output_key, author_key, position, name, relation from warehouse.authorship where institution = %(institution)s
        ) came
        union
        select output_key from (
            select output_key, author_key, position, name, relation from warehouse.authorship where institution = %(institution)s
            except
            select output, author, position, name, relation from now_credited
        ) went
    )
    union
    select output from (
        select output, author, key from now_placed
        except
        select output_key, author_key, department_key from warehouse.authorship_department where institution = %(institution)s
    ) came
    union
    select output_key from (
        select output_key, author_key, department_key from warehouse.authorship_department where institution = %(institution)s
        except
        select output, author, key from now_placed
    ) went
    union
    select w.key from warehouse.research_output w
    where w.institution = %(institution)s and %(policy)s = 'remove_authorless'
        and not exists (select from authorship r where r.output = w.key)
    union
    select key from warehouse.research_output
    where institution = %(institution)s and fingerprint = '00000000-0000-0000-0000-000000000000'
    union
    select l.key from listed l join warehouse.research_output w on w.institution = %(institution)s and w.key = l.key
    where l.groups is not null and l.groups <> w.groups
), named as (
    select distinct on (key) key, groups from listed where groups is not null order by key, record desc
), again as (
    select w.key, w.title, w.type, w.year, w.venue, w.fingerprint, coalesce(named.groups, '{}') as groups,
        %(first)s::bigint + row_number() over (order by w.key) as record
    from warehouse.research_output w left join named on named.key = w.key
    where w.institution = %(institution)s and w.key in (select output from unlike)
        and not exists (select from output o where o.key = w.key)
        and not exists (select from absent a where a.key = w.key)
), outputs as (
    insert into output (record, key, title, type, year, venue, groups, deleted, level, content)
    select record, key, title, type, year, venue, groups, false, 'public', fingerprint from again
), records as (
    insert into output_record (record, key) select record, key from again
)
insert into output_identifier (record, scheme, value, derived)
select again.record, i.scheme, i.value, i.derived
from again join warehouse.output_identifier i on i.institution = %(institution)s and i.output_key = again.key
