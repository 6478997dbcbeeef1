-- Purpose: notes the account; where its file of records has another content, everything is due.
-- Parameters: account, provider, licence, expires_at, version.
-- Row count: 1.
with before as (
    select version from attention.account where account = %(account)s
), due as (
    update attention.asked set due_at = greatest(now(), asked_at + interval '1 microsecond')
    where account = %(account)s and (select version from before) is distinct from %(version)s::text
), records_due as (
    update attention.tracked_output set due_at = now()
    where account = %(account)s and (select version from before) is distinct from %(version)s::text
)
insert into attention.account (account, provider, licence, expires_at, version)
values (%(account)s, %(provider)s, %(licence)s, %(expires_at)s, %(version)s)
on conflict (account) do update set
    licence = excluded.licence, expires_at = excluded.expires_at, version = excluded.version
