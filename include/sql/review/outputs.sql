-- Purpose: the outputs that should be published, each with a fingerprint over itself and all that hangs on it, so that an
--   unchanged one costs one comparison. Of several rows' titles the longest counts, then the first in byte order.
-- Parameters: institution.
-- Row count: outputs.
insert into desired_output (key, title, type, year, venue, groups, fingerprint)
with own as (
    select r.key,
        (array_agg(o.title order by length(o.title) desc nulls last, o.title collate "C"))[1] as title,
        min(o.type) as type, min(o.year) as year, min(o.venue) as venue
    from published_record r join output o using (record)
    group by r.key
), named as (
    select r.key, array_agg(distinct g.key order by g.key) as groups
    from published_record r join output o using (record) cross join lateral unnest(o.groups) as g (key)
    group by r.key
), wanted as (
    select own.key, own.title, own.type, own.year, own.venue, coalesce(m.sets, named.groups, '{}') as groups
    from own left join named using (key) left join membership m using (key)
    union all
    select o.key, o.title, o.type, o.year, o.venue, coalesce(m.sets, o.groups)
    from scope s join warehouse.research_output o on o.institution = %(institution)s and o.key = s.key
    left join membership m on m.key = o.key
    where s.entity = 'output' and s.cause = 'reexamined'
), identifiers as (
    select output_key, string_agg(scheme || ' ' || value || ' ' || derived, E'\n' order by scheme, value) as all_of
    from desired_output_identifier group by output_key
), authorships as (
    select output_key, string_agg(
        jsonb_build_array(author_key, position, name, ids, relation)::text, E'\n' order by author_key) as all_of
    from desired_authorship group by output_key
), written_from as (
    select output_key, string_agg(author_key || ' ' || department_key, E'\n' order by author_key, department_key) as all_of
    from desired_authorship_department group by output_key
), departments as (
    select output_key, string_agg(department_key, E'\n' order by department_key) as all_of
    from desired_output_department group by output_key
)
select w.key, w.title, w.type, w.year, w.venue, w.groups,
    md5(jsonb_build_array(w.title, w.type, w.year, w.venue, w.groups,
        i.all_of, a.all_of, f.all_of, d.all_of)::text)::uuid
from wanted w
left join identifiers i on i.output_key = w.key
left join authorships a on a.output_key = w.key
left join written_from f on f.output_key = w.key
left join departments d on d.output_key = w.key
