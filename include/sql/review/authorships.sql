-- Purpose: who wrote what; of several spellings on one output the longest counts, then the first in byte order.
-- Row count: authorships.
insert into desired_authorship (output_key, author_key, position, name, ids, relation)
select key, author, row_number() over (partition by key order by position, author), name, ids, relation
from (
    select r.key, c.author, min(c.position) as position,
        (array_agg(c.name order by length(c.name) desc, c.name collate "C"))[1] as name,
        jsonb_object_agg_strict(coalesce(id.scheme, ''), id.value order by id.value collate "C") - '' as ids,
        min(c.relation) as relation
    from published_record r join credit c using (record)
    left join lateral jsonb_each_text(c.ids) as id (scheme, value) on true
    group by r.key, c.author
) credited
