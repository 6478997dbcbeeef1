-- Purpose: remembers the answers, each with its time to live: untracked ones the longer the oftener they were so. An error
--   takes nothing away that is known; it is asked for again tomorrow.
-- Parameters: account.
-- Row count: identifiers.
insert into attention.asked (account, scheme, value, answer, altmetric_id, reason, misses, asked_at, due_at)
select %(account)s, scheme, value, answer, altmetric_id, reason, case answer when 'untracked' then 1 else 0 end, now(),
    now() + case answer when 'tracked' then interval '30 days' when 'untracked' then interval '7 days'
        when 'invalid' then interval '90 days' else interval '20 hours' end
from answer
on conflict (account, scheme, value) do update set
    answer = case when excluded.answer = 'error' then asked.answer else excluded.answer end,
    altmetric_id = case when excluded.answer = 'error' then asked.altmetric_id else excluded.altmetric_id end,
    misses = case excluded.answer when 'untracked' then asked.misses + 1 when 'error' then asked.misses else 0 end,
    reason = excluded.reason, asked_at = excluded.asked_at,
    due_at = case excluded.answer
        when 'untracked' then now() + least(interval '7 days' * power(2, least(asked.misses, 4)), interval '90 days')
        else excluded.due_at end
