-- Purpose: the tracked outputs that an institution's outputs are, each once, with the change of the last seven days.
-- Parameters: institution.
-- Row count: tracked outputs.
insert into item (item, tracked, output_key, score, mentions, mentions_week, score_week, sources)
select row_number() over (order by t.score desc nulls last, t.tracked), t.tracked, l.output_key, t.score, t.mentions,
    t.mentions - coalesce(w.mentions, t.mentions), coalesce(t.score - w.score, 0), coalesce(s.sources, '{}')
from (
    select tracked, account, min(output_key) as output_key from attention.link
    where institution = %(institution)s and tracked is not null group by tracked, account
) l
join attention.tracked_output t on t.account = l.account and t.tracked = l.tracked
left join lateral (
    select mentions, score from attention.snapshot n
    where n.account = t.account and n.tracked = t.tracked and n.day <= current_date - 7 order by day desc limit 1) w on true
left join lateral (
    select jsonb_object_agg(source, accounts) as sources from attention.snapshot_source n
    where n.account = t.account and n.tracked = t.tracked and n.day = t.snapshot_day and n.accounts > 0) s on true
