-- Purpose: the tracked outputs whose records are due: never fetched first, then those that changed within the last month.
-- Parameters: account, institutions, most.
-- Row count: provider's ids.
select t.altmetric_id
from attention.tracked_output t
where t.account = %(account)s and t.stale_since is null and t.due_at <= now() and exists (
    select from attention.tracked_identifier i
    join (
        select scheme, case when scheme = 'arxiv' then regexp_replace(value, 'v[0-9]+$', '') else value end collate "C" as value
        from warehouse.output_identifier where institution = any (%(institutions)s)
    ) o on o.scheme = i.scheme and o.value = i.value  -- arXiv IDs are asked for without version
    where i.account = t.account and i.tracked = t.tracked)
group by t.altmetric_id
order by min(case when t.fetched_at is null then 0 when t.changed_at > now() - interval '30 days' then 1 else 2 end),
    min(t.due_at), t.altmetric_id
limit %(most)s
