-- Purpose: where a source lists authorships, these are the contributions of the outputs, all of them, whatever their privacy:
--   under the author's name, from the departments that the authorship names, or else from the author's.
-- Row count: contributions.
insert into contribution (record, position, author, name, ids, departments, relation, level)
select o.record, r.position, r.author, coalesce(a.name, ''), '{}', coalesce(r.departments, a.departments, '{}'), r.key, r.level
from authorship r
join output o on o.key = r.output
left join author a on a.key = r.author
    and not exists (select from verdict v where v.entity = 'author' and v.record = a.record and v.verdict = 'duplicate')
where not o.deleted
