-- Purpose: numbers the tracked outputs, the highest score first, with the change of the last seven days.
-- Parameters: none.
-- Row count: tracked outputs.
insert into item (item, account, tracked, outputs, snapshot_day, score, mentions, mentions_week, score_week)
select row_number() over (order by t.score desc nulls last, t.tracked), t.account, t.tracked, m.outputs, t.snapshot_day,
    t.score, t.mentions, t.mentions - coalesce(b.mentions, t.mentions), coalesce(t.score - b.score, 0)
from mine m
join attention.tracked_output t on t.account = m.account and t.tracked = m.tracked
left join (
    select distinct on (n.account, n.tracked) n.account, n.tracked, n.mentions, n.score
    from mine join attention.snapshot n on n.account = mine.account and n.tracked = mine.tracked
    where n.day <= current_date - 7
    order by n.account, n.tracked, n.day desc
) b on b.account = m.account and b.tracked = m.tracked
