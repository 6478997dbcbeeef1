-- Purpose: the landing pages of an institution, those that cannot be tracked first.
-- Parameters: institution.
-- Row count: outputs.
select c.output_key as key, coalesce(p.state, 'not_asked_yet') as state, coalesce(p.address, c.value) as address,
    p.final_address, p.reason, coalesce(p.missing, '{}') as missing, coalesce(p.identifiers, '{}') as identifiers, p.asked_at
from attention.landing_candidate c
left join attention.landing_page p on p.institution = c.institution and p.output_key = c.output_key
where c.institution = %(institution)s
order by coalesce(p.state, 'not_asked_yet') = 'trackable', p.state, c.output_key
