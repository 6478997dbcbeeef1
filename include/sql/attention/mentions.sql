-- Purpose: the mentions that the records list.
-- Parameters: account.
-- Row count: new mentions.
insert into attention.mention (account, tracked, source, mention, outlet, posted_at, link)
select t.account, t.tracked, s.source, s.mention, s.outlet, s.posted_at, s.link
from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
cross join jsonb_to_recordset(r.posts) as s (source text, mention text, outlet text, posted_at timestamptz, link text)
where r.posts is not null
on conflict do nothing
