-- Purpose: what only the set of rows shows: one output in several rows, an output with two values of a scheme that has one
--   value (both are kept; attention is asked for by the other schemes first), departments that no output is in or below.
-- Parameters: import_id.
-- Row count: notes written down.
with recursive rows_of as (  -- the same row again has a note of its own
    select r.key, o.record, o.place from published_record r join output o using (record)
    where not exists (
        select from note n where n.entity = 'output' and n.code = 'repeated_row' and n.record = o.record)
), several as (
    select key, array_agg(place order by record) as places from rows_of group by key having count(*) > 1
), conflicts as (
    select r.key, i.scheme from published_record r join output_identifier i using (record)
    where not i.derived and i.scheme in ('doi', 'pmid', 'arxiv', 'ads', 'nct_id')
    group by r.key, i.scheme having min(i.value) <> max(i.value)
), claims as (
    select distinct key, c.scheme, i.value, r.place, r.record
    from conflicts c join rows_of r using (key) join output_identifier i on i.record = r.record and i.scheme = c.scheme
    where not i.derived
), conflict_places as (
    select key, scheme, array_agg(place order by record) as places
    from (select distinct key, scheme, place, record from claims) c group by key, scheme
), conflict_values as (
    select key, scheme, string_agg(value, ', ' order by value) as listed
    from (select distinct key, scheme, value from claims) c group by key, scheme
), path as (
    select d.key, d.name as path from desired_department d
    where not exists (select from desired_department_parent p where p.department_key = d.key)
    union
    select d.key, path.path || ' > ' || d.name
    from path join desired_department_parent p on p.parent_key = path.key join desired_department d on d.key = p.department_key
), filled as (
    select department_key as key from desired_output_department
    union
    select p.parent_key from filled join desired_department_parent p on p.department_key = filled.key
), unfilled as (
    select count(*) as departments, string_agg(path, e'\n' order by path collate "C") as listed
    from path where key not in (select key from filled)
)
insert into ops.record_note (import_id, entity, key, place, code, severity, field, value, message)
select %(import_id)s, 'output', key, array_to_string(places[:100], ', '), 'output_in_several_rows', 'info', null, null,
    'these rows share identifiers and are one output'
from several
union all
select %(import_id)s, 'output', key, array_to_string(places[:100], ', '), 'identifier_conflict', 'warning', scheme, listed,
    'one output has several values where a work has one: all are kept, and attention is asked for by the other identifiers'
from conflict_places join conflict_values using (key, scheme)
union all
select %(import_id)s, 'department', null, null, 'departments_without_outputs', 'info', null, listed,
    departments || ' departments have no output, in themselves or below'
from unfilled where departments > 0
