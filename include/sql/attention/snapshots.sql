-- Purpose: a new point in the series of each tracked output whose record has changed.
-- Parameters: account.
-- Row count: tracked outputs that changed.
insert into attention.snapshot (account, tracked, day, score, mentions, readers)
select t.account, t.tracked, current_date, r.score, r.mentions, r.reader_count
from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
where t.digest is distinct from r.digest
on conflict (account, tracked, day) do update set
    score = excluded.score, mentions = excluded.mentions, readers = excluded.readers
