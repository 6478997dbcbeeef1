-- Purpose: outputs that an incremental import of a source that lists authorships has to fetch although they did not change:
--   they are not published, and somebody who wrote them is newly shown, or the authorship is new. (What is published is
--   computed again without fetching.) Where authorships have no list of their own, also those that are not published and that
--   others than before wrote who are shown, since people are merged without a word about their outputs; and what is published
--   without somebody who is shown and named with it: a list of outputs need not say that an authorship is hidden, their full
--   records do, and until they are read again nobody knows.
-- Parameters: institution; since, the watermark of authorships (null where they have no list of their own: then outputs
--   whose authorships changed are told as changed); levels; user_status; profile_types.
-- Row count: keys.
select distinct r.output
from relationship r
left join author a on a.key = r.author
left join warehouse.research_output w on w.institution = %(institution)s and w.key = r.output
left join passing s on s.output = r.output
left join ops.left_out l on l.institution = %(institution)s and l.output_key = r.output
cross join lateral (
    select a.level = any(%(levels)s)
        and person_withheld(%(user_status)s, %(profile_types)s, a.is_current, a.is_academic, a.is_student) is null
        and not exists (select from refusal f where f.entity = 'author' and f.record = a.record) as yes
) passes
where not exists (select from output o where o.key = r.output)
    and case
        when w.key is null then
            coalesce(r.datestamp >= %(since)s, %(since)s::text is not null)
            or (passes.yes and not exists (
                select from warehouse.author p where p.institution = %(institution)s and p.key = a.key))
            or (s.digest is not null and l.digest is distinct from s.digest)
        else
            %(since)s::text is null and passes.yes and r.level = any(%(levels)s) and not exists (
                select from warehouse.authorship p
                where p.institution = %(institution)s and p.output_key = r.output and p.author_key = r.author)
    end
order by r.output
