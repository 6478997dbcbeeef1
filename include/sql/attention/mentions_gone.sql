-- Purpose: forgets mentions that the provider does not list any more.
-- Parameters: account.
-- Row count: mentions.
delete from attention.mention m
using record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
where m.account = t.account and m.tracked = t.tracked and r.posts is not null and not exists (
    select from jsonb_to_recordset(r.posts) as s (source text, mention text)
    where s.source = m.source and s.mention = m.mention)
