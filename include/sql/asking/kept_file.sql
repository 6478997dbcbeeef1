-- Purpose: the last sound version of a file.
-- Parameters: institution, name.
-- Row count: 1, or 0 where there is none.
select content, to_char(read_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', problem
from ops.kept_file where institution = %(institution)s and name = %(name)s
