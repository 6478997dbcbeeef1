-- Purpose: attention by source, of all that has some.
-- Parameters: institution.
-- Row count: sums.
insert into attention.rollup_source (institution, kind, key, source, accounts, tracked)
select %(institution)s, p.kind, p.key, s.source, sum(s.accounts::bigint), count(*)
from placed p
join (select item, source, accounts from item cross join jsonb_each_text(sources) as e (source, accounts)) s using (item)
group by p.kind, p.key, s.source
