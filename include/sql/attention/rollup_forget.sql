-- Purpose: forgets an institution's sums, which are about to be made anew.
-- Parameters: institution.
-- Row count: sums.
with sources as (
    delete from attention.rollup_source where institution = %(institution)s
), top as (
    delete from attention.rollup_top where institution = %(institution)s
)
delete from attention.rollup where institution = %(institution)s
