-- Purpose: takes what turned private out of what stays published: authorships of people who are no longer shown, or that are
--   themselves no longer shown, and places below departments that are no longer shown. What it was taken from gets a
--   fingerprint that nothing has, so that the next difference looks at it again.
-- Parameters: import_id. Identifiers: the institution's tables, by the names of their parents.
-- Row count: 1: how many things that stay lost something.
with gone as (
    select entity, key from delta where action = 'remove' and reason = 'privacy'
), authorships as (
    select a.output_key, a.author_key
    from {authorship} a
    where exists (select from gone g where g.entity = 'author' and g.key = a.author_key)
        or exists (select from hidden_authorship h where h.output = a.output_key and h.author = a.author_key)
), written_from as (
    delete from {authorship_department} d
    where exists (select from gone g where g.entity = 'department' and g.key = d.department_key)
        or exists (select from authorships a where a.output_key = d.output_key and a.author_key = d.author_key)
    returning output_key
), credited as (
    delete from {authorship} t using authorships a where t.output_key = a.output_key and t.author_key = a.author_key
    returning t.output_key
), placed as (
    delete from {output_department} d using gone g where g.entity = 'department' and g.key = d.department_key
    returning d.output_key
), belonging as (
    delete from {author_department} d using gone g where g.entity = 'department' and g.key = d.department_key
    returning d.author_key
), below as (
    delete from {department_parent} d using gone g where g.entity = 'department' and g.key = d.parent_key
    returning d.department_key
), hidden as (
    select coalesce(array_agg(key), '{{}}') as keys from gone where entity = 'department'
), outputs as (
    update {research_output} o
    set fingerprint = '00000000-0000-0000-0000-000000000000', changed_by = %(import_id)s,
        groups = array(select key from unnest(o.groups) as key where key <> all (hidden.keys))
    from hidden
    where o.groups && hidden.keys
        or o.key in (select output_key from written_from union select output_key from credited union select output_key from placed)
    returning o.key
), authors as (
    update {author} set fingerprint = '00000000-0000-0000-0000-000000000000', changed_by = %(import_id)s
    where key in (select author_key from belonging)
    returning key
), departments as (
    update {department} set fingerprint = '00000000-0000-0000-0000-000000000000', changed_by = %(import_id)s
    where key in (select department_key from below)
    returning key
)
select (select count(*) from outputs) + (select count(*) from authors) + (select count(*) from departments)
