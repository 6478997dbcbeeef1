-- Purpose: takes back what an earlier review decided of departments that records name in passing.
-- Row count: departments that are kept again.
update verdict set verdict = 'kept', stage = 'clean_up_orphans', rule = 'published', reason = null where stage = 'review'
