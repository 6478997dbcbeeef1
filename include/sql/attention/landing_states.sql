-- Purpose: how many landing pages are in each state.
-- Parameters: institution.
-- Row count: states.
select coalesce(p.state, 'not_asked_yet') as state, count(*)
from attention.landing_candidate c
left join attention.landing_page p on p.institution = c.institution and p.output_key = c.output_key
where c.institution = %(institution)s group by 1 order by 1
