-- Purpose: the credits that pass: the relationship itself, and its author where the source lists people. (An output that
--   was dropped takes its credits along.)
-- Parameters: knows_privacy; levels, those that pass; lists_authors, whether a credit needs a person that passed.
-- Row count: credits that pass.
insert into credit (record, position, author, name, ids, departments, relation)
select c.record, c.position, c.author, c.name, c.ids, c.departments, c.relation
from contribution c join output_record r using (record)
where not exists (select from verdict v where v.entity = 'output' and v.record = c.record)
    and (not %(knows_privacy)s or coalesce(c.level = any(%(levels)s), false))
    and (not %(lists_authors)s or exists (
        select from author a
        where a.key = c.author and not exists (select from verdict v where v.entity = 'author' and v.record = a.record)
    ))
