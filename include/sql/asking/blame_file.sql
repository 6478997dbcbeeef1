-- Purpose: says why a file cannot be used as it is now, so that its last sound version is.
-- Parameters: institution, name, problem.
-- Row count: 1, or 0 where there is no sound version.
update ops.kept_file set problem = %(problem)s where institution = %(institution)s and name = %(name)s
