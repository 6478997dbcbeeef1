-- Purpose: of several copies of an authorship (a page that shifted), one counts; and each has its place on the output: the
--   one that the source says, else by its key.
-- Row count: authorships.
insert into authorship (key, output, author, level, departments, position)
select key, output, author, level, departments,
    row_number() over (partition by output order by position nulls last, length(key), key)
from (
    select distinct on (key) key, output, author, level, departments, position
    from relationship
    order by key, datestamp desc nulls last, clock desc nulls last, record desc
) latest
