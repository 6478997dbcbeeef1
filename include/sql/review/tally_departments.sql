-- Purpose: the tally of departments.
-- Parameters: institution.
-- Row count: 1: a JSON object.
with ends as (
    select coalesce(jsonb_object_agg(verdict, n), '{}') as by_verdict, coalesce(sum(n), 0) as extracted,
        coalesce(sum(n) filter (where verdict = 'kept'), 0) as kept
    from (select verdict, count(*) as n from verdict where entity = 'department' group by verdict) v
), actions as (
    select
        count(*) filter (where action = 'add') as added,
        count(*) filter (where action = 'update') as updated,
        count(*) filter (where action = 'remove') as removed
    from delta where entity = 'department'
), sizes as (
    select
        (select count(*) from warehouse.department where institution = %(institution)s) as before,
        (select count(*) from desired_department) as desired
)
select jsonb_build_object(
    'extracted', extracted, 'reexamined', desired - kept,
    'duplicates', coalesce((by_verdict ->> 'duplicate')::bigint, 0),
    'deleted', coalesce((by_verdict ->> 'deleted')::bigint, 0),
    'rejected', coalesce((by_verdict ->> 'rejected')::bigint, 0),
    'excluded', coalesce((by_verdict ->> 'excluded')::bigint, 0),
    'dropped_by_privacy', coalesce((by_verdict ->> 'dropped_by_privacy')::bigint, 0),
    'orphaned', 0, 'merged', coalesce((by_verdict ->> 'merged')::bigint, 0),
    'added', added, 'updated', updated, 'unchanged', desired - added - updated, 'removed', removed,
    'untouched', 0, 'published', desired, 'published_before', before, 'kept', desired)
from ends, actions, sizes
