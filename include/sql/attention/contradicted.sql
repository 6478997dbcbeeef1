-- Purpose: takes out the records that name other identifiers than those which led to them (the provider's ids change hands), and
--   those of chapters to which a book's ISBN led. What was known stays, and tomorrow they are asked for again.
-- Parameters: account.
-- Row count: tracked outputs.
with named as (
    select r.altmetric_id, s.scheme, lower(s.value) as value, s.derived
    from record r cross join jsonb_to_recordset(r.identifiers) as s (scheme text, value text, derived boolean)
), compared as (
    select n.altmetric_id, bool_or(n.value = lower(i.value)) as agrees
    from named n
    join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = n.altmetric_id
    join attention.tracked_identifier i on i.account = t.account and i.tracked = t.tracked and i.scheme = n.scheme and not i.told
    where n.scheme <> 'uri'  -- of addresses one may lead to another
    group by n.altmetric_id having not bool_and(n.derived)  -- an alias may agree, never contradict
    union all
    select r.altmetric_id, false
    from record r
    join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
    join attention.tracked_identifier i on i.account = t.account and i.tracked = t.tracked and not i.told
    where r.type = 'chapter' group by r.altmetric_id having bool_and(i.scheme = 'isbn')
), gone as (
    delete from record r using compared c where c.altmetric_id = r.altmetric_id and not c.agrees
)
update attention.tracked_output t set
    failed = 'the record that came names other identifiers of this kind', due_at = now() + interval '20 hours'
from compared c where t.account = %(account)s and t.altmetric_id = c.altmetric_id and not c.agrees
