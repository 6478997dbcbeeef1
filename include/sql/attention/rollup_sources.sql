-- Purpose: attention by source, of all that has some: distinct accounts; mentions where a provider says these alone.
-- Parameters: institution.
-- Row count: sums.
insert into attention.rollup_source (institution, kind, key, source, accounts, tracked)
with counted as (
    select i.item, s.source, coalesce(s.accounts, s.posts) as accounts
    from item i
    join attention.snapshot_source s on s.account = i.account and s.tracked = i.tracked and s.day = i.snapshot_day
    where coalesce(s.accounts, s.posts) > 0
), parts as (
    select p.part, c.source, sum(c.accounts) as accounts, count(*) as tracked
    from placed p join counted c using (item) group by p.part, c.source
)
select %(institution)s, l.kind, l.key, s.source, sum(s.accounts), sum(s.tracked)
from parts s join reach r using (part) join place l using (place)
group by l.kind, l.key, s.source
