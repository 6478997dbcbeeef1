-- Purpose: in one file, a name that equals exactly one author with an id is that author.
-- Row count: credits given to the author with the id.
update credit c set author = known.author
from (
    select ops.name_key(name) as name, min(author) as author
    from credit where author not like 'name:%' group by 1 having count(distinct author) = 1
) known
where c.author = known.name
