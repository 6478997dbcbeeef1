-- Purpose: how many outputs of an institution are in each state, and how many have contradictory identifiers.
-- Parameters: institution.
-- Row count: states.
select state, count(*), count(*) filter (where others <> '{}')
from attention.link where institution = %(institution)s group by state order by state
