-- Purpose: authorships none of which passes, whatever became of their outputs: one that is rejected today, or was not read, may
--   be put back by a rollback, but not with who wrote it.
-- Parameters: levels, those that pass.
-- Row count: pairs of output and author.
insert into hidden_authorship (output, author)
select output, author
from (
    select output, author, level from authorship
    union all
    select o.key, c.author, c.level
    from contribution c join output o using (record)
    where o.key is not null
        and not exists (select from authorship)  -- where these are a list, contributions are made of it
        and not exists (
            select from verdict v where v.entity = 'output' and v.record = o.record and v.verdict in ('duplicate', 'deleted'))
) told
group by output, author
having not bool_or(coalesce(level = any(%(levels)s), false))
