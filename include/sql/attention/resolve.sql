-- Purpose: which tracked output each answer means: one that has this id now (unless its own identifier has just got another),
--   else one that this answer renumbers, else a new one under the identifier of highest trust.
-- Parameters: account, schemes (in the order of trust).
-- Row count: identifiers.
update answer w set tracked = c.tracked
from (
    select a.altmetric_id, coalesce(
        (select t.tracked from attention.tracked_output t
            where t.account = %(account)s and t.altmetric_id = a.altmetric_id and not exists (
                select from answer b where b.own = t.tracked and b.answer = 'tracked' and b.altmetric_id <> a.altmetric_id)
            order by t.first_seen, t.tracked limit 1),
        (select t.tracked from answer b join attention.tracked_output t on t.account = %(account)s and t.tracked = b.own
            where b.altmetric_id = a.altmetric_id and b.answer = 'tracked' order by t.first_seen, t.tracked limit 1),
        (array_agg(a.own order by array_position(%(schemes)s::text[], a.scheme::text), a.value))[1]) as tracked
    from answer a where a.answer = 'tracked' group by a.altmetric_id
) c
where w.answer = 'tracked' and w.altmetric_id = c.altmetric_id
