-- Purpose: the tally of outputs: every record has one end (verdicts), and the difference with what is published.
-- Parameters: institution.
-- Row count: 1: a JSON object.
with ends as (
    select coalesce(jsonb_object_agg(verdict, n), '{}') as by_verdict, coalesce(sum(n), 0) as extracted
    from (select verdict, count(*) as n from verdict where entity = 'output' group by verdict) v
), actions as (
    select
        count(*) filter (where action = 'add' and rekeyed is null) as added,
        count(*) filter (where action = 'update' or (action = 'add' and rekeyed is not null)) as updated,
        count(*) filter (where action = 'remove' and rekeyed is null) as removed
    from delta where entity = 'output'
), sizes as (
    select
        (select count(*) from warehouse.research_output where institution = %(institution)s) as before,
        (select count(*) from desired_output) as desired,
        (select count(*) from scope s join warehouse.research_output w
            on w.institution = %(institution)s and w.key = s.key where s.entity = 'output') as touched,
        (select count(*) from scope where entity = 'output' and cause = 'reexamined') as reexamined,
        (select count(*) from output where record >> 50 = 8191) as stored  -- staged from what is published
)
select jsonb_build_object(
    'extracted', extracted - stored, 'reexamined', reexamined + stored,
    'duplicates', coalesce((by_verdict ->> 'duplicate')::bigint, 0),
    'deleted', coalesce((by_verdict ->> 'deleted')::bigint, 0),
    'rejected', coalesce((by_verdict ->> 'rejected')::bigint, 0),
    'excluded', coalesce((by_verdict ->> 'excluded')::bigint, 0),
    'dropped_by_privacy', coalesce((by_verdict ->> 'dropped_by_privacy')::bigint, 0),
    'orphaned', coalesce((by_verdict ->> 'orphaned')::bigint, 0),
    'merged', coalesce((by_verdict ->> 'merged')::bigint, 0),
    'added', added, 'updated', updated, 'unchanged', desired - added - updated, 'removed', removed,
    'untouched', before - touched, 'published', desired + before - touched, 'published_before', before,
    'kept', coalesce((by_verdict ->> 'kept')::bigint, 0) + reexamined)
from ends, actions, sizes
