-- Purpose: notes with whose account an institution's outputs are asked.
-- Parameters: institution, account (null where none is configured).
-- Row count: 1.
insert into attention.subscription (institution, account) values (%(institution)s, %(account)s)
on conflict (institution) do update set account = excluded.account
