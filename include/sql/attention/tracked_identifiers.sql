-- Purpose: the identifiers that lead to tracked outputs.
-- Parameters: account.
-- Row count: identifiers.
insert into attention.tracked_identifier (account, scheme, value, tracked, told)
select %(account)s, scheme, value, tracked, false from answer where answer = 'tracked'
on conflict (account, scheme, value) do update set tracked = excluded.tracked, told = false
