-- Purpose: for each output of an institution the tracked output that it is, or why there is none.
-- Parameters: institution, account.
-- Row count: outputs whose link changed.
insert into attention.link (institution, output_key, state, account, tracked, scheme, value, others)
with known as (
    select k.output_key, k.scheme, k.value, k.rank, a.answer, t.tracked, t.mentions, t.stale_since, t.fetched_at, t.failed
    from attention.askable k
    left join attention.asked a on a.account = %(account)s and a.scheme = k.scheme and a.value = k.value
    left join attention.tracked_identifier i on i.account = %(account)s and i.scheme = k.scheme and i.value = k.value
    left join attention.tracked_output t on t.account = %(account)s and t.tracked = i.tracked
    where k.institution = %(institution)s
), best as (
    select distinct on (output_key) output_key, scheme, value, tracked, mentions
    from known where fetched_at is not null
    order by output_key, stale_since is not null, rank, value
), others as (
    select k.output_key, array_agg(distinct k.tracked order by k.tracked) as others
    from known k join best b using (output_key)
    where k.tracked <> b.tracked and k.stale_since is null group by k.output_key
), said as (
    select output_key,
        coalesce(bool_or(answer = 'error' or (failed is not null and fetched_at is null)), false) as failed,
        bool_or(answer is null or answer = 'tracked') as open,
        coalesce(bool_or(answer = 'untracked'), false) as untracked
    from known group by output_key
), found as (
    select o.key as output_key, b.tracked, b.scheme, b.value, coalesce(x.others, '{}') as others, case
        when b.tracked is not null then case when b.mentions > 0 then 'linked' else 'no_mentions' end
        when s.output_key is null then 'no_identifier'
        when s.failed then 'error'
        when s.open then case c.stopped when 'quota' then 'quota' when 'time' then 'not_asked_yet' when 'refused' then 'error'
            when 'error' then 'error' else 'not_asked_yet' end
        when s.untracked then 'untracked'
        else 'invalid_identifier' end as state
    from warehouse.research_output o
    left join best b on b.output_key = o.key
    left join others x on x.output_key = o.key
    left join said s on s.output_key = o.key
    left join attention.account c on c.account = %(account)s
    where o.institution = %(institution)s
)
select %(institution)s, f.output_key, f.state, n.account, f.tracked, f.scheme, f.value, f.others
from found f
cross join lateral (select case when f.tracked is not null then %(account)s::text end as account) n
left join attention.link l on l.institution = %(institution)s and l.output_key = f.output_key
where l.output_key is null or (l.state, l.account, l.tracked, l.scheme, l.value, l.others) is distinct from
    (f.state, n.account, f.tracked, f.scheme, f.value, f.others)
on conflict (institution, output_key) do update set
    state = excluded.state, account = excluded.account, tracked = excluded.tracked, scheme = excluded.scheme,
    value = excluded.value, others = excluded.others, changed_at = now()
