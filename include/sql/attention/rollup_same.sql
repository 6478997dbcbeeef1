-- Purpose: the shape of what an institution publishes, and whether its sums are of that shape and would come out the same.
-- Parameters: institution.
-- Row count: 1.
select n.shape, s.shape is not distinct from n.shape and not exists (
    select from attention.link l where l.institution = n.slug and l.tracked is not null)
from ops.institution n left join attention.subscription s on s.institution = n.slug
where n.slug = %(institution)s
