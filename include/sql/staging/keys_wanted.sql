-- Purpose: outputs that an incremental import of a source that lists authorships has to fetch although they did not change:
--   they are not published, and somebody who wrote them is newly shown, or the authorship is new. (What is published is
--   computed again without fetching.)
-- Parameters: institution; since, the watermark of authorships (null where they have no list of their own: then outputs
--   whose authorships changed are told as changed); levels; user_status; profile_types.
-- Row count: keys.
select distinct r.output
from relationship r
left join author a on a.key = r.author
where not exists (select from output o where o.key = r.output)
    and not exists (select from warehouse.research_output w where w.institution = %(institution)s and w.key = r.output)
    and (
        coalesce(r.datestamp >= %(since)s, %(since)s::text is not null)
        or (
            a.level = any(%(levels)s)
            and person_withheld(%(user_status)s, %(profile_types)s, a.is_current, a.is_academic, a.is_student) is null
            and not exists (select from refusal f where f.entity = 'author' and f.record = a.record)
            and not exists (
                select from warehouse.author w where w.institution = %(institution)s and w.key = a.key
            )
        )
    )
order by r.output
