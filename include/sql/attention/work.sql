-- Purpose: the identifiers that are to be asked for now, each once: outputs never asked for first, then those whose attention
--   changed within the last month, then the longest due. In batches all of an output's identifiers; else the next one that
--   may be tracked, none behind one that is.
-- Parameters: account, institutions, batch.
-- Row count: identifiers.
insert into work (scheme, value)
with mine as (
    select k.institution, k.output_key, k.scheme, k.value, k.rank, a.answer, i.tracked, t.changed_at,
        coalesce(a.due_at, case when %(batch)s then t.id_seen_at + interval '30 days' else t.due_at end) as due_at
    from attention.askable k
    left join attention.asked a on a.account = %(account)s and a.scheme = k.scheme and a.value = k.value
    left join attention.tracked_identifier i on i.account = %(account)s and i.scheme = k.scheme and i.value = k.value
    left join attention.tracked_output t on t.account = %(account)s and t.tracked = i.tracked
    where k.institution = any (%(institutions)s)
), open as (
    select *, due_at is null or due_at <= now() as due,
        row_number() over (partition by institution, output_key order by rank, value) as turn
    from mine
    where %(batch)s or due_at is null or due_at <= now() or answer = 'tracked' or (answer is null and tracked is not null)
)
select scheme, value
from open
where due and (%(batch)s or turn = 1)
group by scheme, value
order by min(case when due_at is null then 0 when changed_at > now() - interval '30 days' then 1 else 2 end),
    min(due_at), scheme, value
