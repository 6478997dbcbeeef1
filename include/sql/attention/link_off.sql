-- Purpose: where no account is configured, says of every output that attention is off.
-- Parameters: institution.
-- Row count: outputs whose link changed.
insert into attention.link (institution, output_key, state)
select o.institution, o.key, 'feature_off'
from warehouse.research_output o
left join attention.link l on l.institution = %(institution)s and l.output_key = o.key
where o.institution = %(institution)s and l.state is distinct from 'feature_off'
on conflict (institution, output_key) do update set
    state = excluded.state, account = null, tracked = null, scheme = null, value = null, others = '{}', changed_at = now()
