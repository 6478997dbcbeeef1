-- Purpose: forgets an institution's sums, which are about to be made anew.
-- Parameters: institution.
-- Row count: sums.
delete from attention.rollup where institution = %(institution)s
