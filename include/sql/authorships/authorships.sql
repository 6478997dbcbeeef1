-- Purpose: of several copies of an authorship (a page that shifted, a list beside the record itself), one counts; and each has
--   its place on the output: the one that the source says, else by its key. It is as private as the strictest copy says: a
--   list need not tell that it is hidden.
-- Row count: authorships.
insert into authorship (key, output, author, level, departments, position)
select key, output, author, level, departments,
    row_number() over (partition by output order by position nulls last, length(key), key)
from (
    select distinct on (key) key, output, author, departments, position,
        first_value(level) over (
            partition by key order by array_position(array['public', 'internal'], level) desc nulls first
        ) as level
    from relationship
    order by key, datestamp desc nulls last, clock desc nulls last, record desc
) latest
