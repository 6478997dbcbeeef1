-- Purpose: takes back what a stage and those after it decided, so that a task can be run again.
-- Parameters: stages, an array of stage names.
-- Row count: verdicts taken back.
delete from verdict where stage = any(%(stages)s)
