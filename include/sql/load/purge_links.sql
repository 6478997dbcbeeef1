-- Purpose: takes what turned private out of what stays published: authorships of people who are no longer shown, or that are
--   themselves no longer shown, and places below departments that are no longer shown. What it was taken from gets a
--   fingerprint that nothing has, so that the next difference looks at it again.
-- Parameters: import_id. Identifiers: the institution's tables, by the names of their parents.
-- Row count: departments that lost one above them.
with gone as materialized (
    select entity, key from delta where action = 'remove' and reason = 'privacy'
), hidden as materialized (
    select output, author from hidden_authorship
), departments as (
    select coalesce(array_agg(key), '{{}}') as keys from gone where entity = 'department'
), authorships as (
    select output_key, author_key
    from {authorship}
    where author_key in (select key from gone where entity = 'author')
        or (output_key, author_key) in (select output, author from hidden)
), written_from as (
    delete from {authorship_department}
    where department_key in (select key from gone where entity = 'department')
        or (output_key, author_key) in (select output_key, author_key from authorships)
    returning output_key
), credited as (
    delete from {authorship} where (output_key, author_key) in (select output_key, author_key from authorships)
    returning output_key
), placed as (
    delete from {output_department} where department_key in (select key from gone where entity = 'department')
    returning output_key
), outputs as (
    update {research_output} o
    set fingerprint = '00000000-0000-0000-0000-000000000000', changed_by = %(import_id)s,
        groups = array(select key from unnest(o.groups) as key where key <> all (departments.keys))
    from departments
    where o.groups && departments.keys
        or o.key in (select output_key from written_from union select output_key from credited union select output_key from placed)
), belonging as (
    delete from {author_department} where department_key in (select key from gone where entity = 'department')
    returning author_key
), authors as (
    update {author} set fingerprint = '00000000-0000-0000-0000-000000000000', changed_by = %(import_id)s
    where key in (select author_key from belonging)
), below as (
    delete from {department_parent} where parent_key in (select key from gone where entity = 'department')
    returning department_key
)
update {department} set fingerprint = '00000000-0000-0000-0000-000000000000', changed_by = %(import_id)s
where key in (select department_key from below)
