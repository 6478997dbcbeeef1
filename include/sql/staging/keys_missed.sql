-- Purpose: outputs that the source lists as changed since a time, but that no list of outputs gave (a page that shifted, an
--   index that lags). A listed output of which no change is known is not among them in an incremental import: it may be one
--   that was left out before, and of those nothing is remembered.
-- Parameters: since, a time (everything where it is empty, nothing where it is null).
-- Row count: keys.
select distinct l.key
from listed l
where (%(since)s = '' or l.datestamp > %(since)s)
    and not exists (select from output o where o.key = l.key)
order by l.key
