-- Purpose: a fingerprint over each author and the departments that the author belongs to.
-- Row count: authors.
update desired_author a
set fingerprint = md5(jsonb_build_array(a.name, a.ids, (
    select jsonb_agg(d.department_key order by d.department_key)
    from desired_author_department d where d.author_key = a.key
))::text)::uuid
