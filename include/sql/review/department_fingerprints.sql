-- Purpose: a fingerprint over each department and those above it, where they are others than their records name.
-- Row count: departments.
update desired_department d
set fingerprint = md5(jsonb_build_array(d.name, coalesce((
    select jsonb_agg(p.parent_key order by p.parent_key) from desired_department_parent p where p.department_key = d.key
), '[]'))::text)::uuid
