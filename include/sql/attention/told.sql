-- Purpose: further identifiers of a tracked output that its record names (not their aliases): they need not be asked for.
-- Parameters: account.
-- Row count: identifiers.
insert into attention.tracked_identifier (account, scheme, value, tracked, told)
select distinct on (s.scheme, s.value) t.account, s.scheme, s.value, t.tracked, true
from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
cross join jsonb_to_recordset(r.identifiers) as s (scheme text, value text, derived boolean)
where not s.derived
order by s.scheme, s.value, t.first_seen, t.tracked
on conflict do nothing
