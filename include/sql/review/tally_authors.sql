-- Purpose: the tally of authors. A source that lists people has a verdict for each; one that only credits them is counted
--   by who is credited on what it sent and is published.
-- Parameters: institution; lists_authors.
-- Row count: 1: a JSON object.
with ends as (
    select coalesce(jsonb_object_agg(verdict, n), '{}') as by_verdict, coalesce(sum(n), 0) as listed
    from (select verdict, count(*) as n from verdict where entity = 'author' group by verdict) v
), credited as (
    select count(distinct c.author) as n from published_record r join credit c using (record)
), actions as (
    select
        count(*) filter (where action = 'add') as added,
        count(*) filter (where action = 'update') as updated,
        count(*) filter (where action = 'remove') as removed
    from delta where entity = 'author'
), sizes as (
    select
        (select count(*) from warehouse.author where institution = %(institution)s) as before,
        (select count(*) from desired_author) as desired,
        (select count(*) from scope s join warehouse.author w
            on w.institution = %(institution)s and w.key = s.key where s.entity = 'author') as touched
)
select jsonb_build_object(
    'extracted', case when %(lists_authors)s then listed else credited.n end,
    'reexamined', case when %(lists_authors)s then 0 else desired - credited.n end,
    'duplicates', coalesce((by_verdict ->> 'duplicate')::bigint, 0),
    'deleted', coalesce((by_verdict ->> 'deleted')::bigint, 0),
    'rejected', coalesce((by_verdict ->> 'rejected')::bigint, 0),
    'excluded', coalesce((by_verdict ->> 'excluded')::bigint, 0),
    'dropped_by_privacy', coalesce((by_verdict ->> 'dropped_by_privacy')::bigint, 0),
    'orphaned', 0, 'merged', 0,
    'added', added, 'updated', updated, 'unchanged', desired - added - updated, 'removed', removed,
    'untouched', before - touched, 'published', desired + before - touched, 'published_before', before,
    'kept', desired)
from ends, credited, actions, sizes
