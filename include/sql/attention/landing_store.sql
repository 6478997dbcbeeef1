-- Purpose: keeps what came of a visit, and when the page is due again: rarely, sooner where it could not be reached.
-- Parameters: institution, output_key, scheme, value, address, final_address, state, reason, identifiers, missing.
-- Row count: 1.
insert into attention.landing_page (
    institution, output_key, scheme, value, address, final_address, state, reason, identifiers, missing, asked_at, due_at)
values (
    %(institution)s, %(output_key)s, %(scheme)s, %(value)s, %(address)s, %(final_address)s, %(state)s, %(reason)s,
    %(identifiers)s, %(missing)s, now(),
    now() + case %(state)s when 'trackable' then interval '180 days' when 'unreachable' then interval '2 days'
        else interval '30 days' end)
on conflict (institution, output_key) do update set
    scheme = excluded.scheme, value = excluded.value, address = excluded.address, final_address = excluded.final_address,
    state = excluded.state, reason = excluded.reason, identifiers = excluded.identifiers, missing = excluded.missing,
    asked_at = excluded.asked_at, due_at = excluded.due_at
