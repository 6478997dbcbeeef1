-- Purpose: when each institution was last published, for the look at who is late, and the import that waits for approval.
-- Parameters: none.
-- Row count: institutions that were ever imported.
select n.slug, n.hold, max(i.published_at) as published_at, n.added_at,
    max(i.id) filter (where i.status = 'awaiting_approval') as waits
from ops.institution n left join ops.import i on i.institution = n.slug and i.kind = 'import'
group by n.slug, n.hold, n.added_at
