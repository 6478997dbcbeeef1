-- Purpose: a fingerprint over each output and all that hangs on it, so that an unchanged one costs one comparison.
-- Row count: outputs.
with identifiers as (
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
update desired_output o
set fingerprint = md5(jsonb_build_array(o.title, o.type, o.year, o.venue, o.groups,
    i.all_of, a.all_of, f.all_of, d.all_of)::text)::uuid
from desired_output w
left join identifiers i on i.output_key = w.key
left join authorships a on a.output_key = w.key
left join written_from f on f.output_key = w.key
left join departments d on d.output_key = w.key
where o.key = w.key
