-- Purpose: authors of sources that only credit them: everybody in scope who is credited on an output that should be
--   published or that this import leaves untouched. Of several spellings the longest counts, then the first in byte order.
-- Parameters: institution.
-- Row count: links from authors to departments.
with credited as (
    select author_key, output_key, name, ids from desired_authorship
    union all
    select a.author_key, a.output_key, a.name, a.ids
    from scope s join warehouse.authorship a on a.institution = %(institution)s and a.author_key = s.key
    where s.entity = 'author' and not exists (select from scope o where o.entity = 'output' and o.key = a.output_key)
), departments as (
    insert into desired_author_department (author_key, department_key)
    select author_key, department_key from desired_authorship_department
    union
    select a.author_key, a.department_key
    from scope s join warehouse.authorship_department a on a.institution = %(institution)s and a.author_key = s.key
    where s.entity = 'author' and not exists (select from scope o where o.entity = 'output' and o.key = a.output_key)
)
insert into desired_author (key, name, ids)
select c.author_key,
    (array_agg(c.name order by length(c.name) desc, c.name collate "C"))[1],
    coalesce(jsonb_object_agg_strict(coalesce(id.scheme, ''), id.value order by id.value collate "C") - '', '{}')
from credited c left join lateral jsonb_each_text(c.ids) as id (scheme, value) on true
group by c.author_key
