-- Purpose: of several copies of an authorship (a page that shifted), one counts; and each has its place on the output.
-- Row count: authorships.
insert into authorship (key, output, author, level, position)
select key, output, author, level, row_number() over (partition by output order by length(key), key)
from (
    select distinct on (key) key, output, author, level
    from relationship
    order by key, datestamp desc nulls last, clock desc nulls last, record desc
) latest
