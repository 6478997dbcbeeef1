-- Purpose: the outputs whose landing pages are due: never asked for first, then those asked for longest ago.
-- Parameters: institution, most.
-- Row count: outputs.
select c.output_key, c.scheme, c.value, c.identifiers
from attention.landing_candidate c
left join attention.landing_page p on p.institution = c.institution and p.output_key = c.output_key
where c.institution = %(institution)s and (p.due_at is null or p.due_at <= now())
order by p.due_at nulls first, c.output_key
limit %(most)s
