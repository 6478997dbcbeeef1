-- Purpose: what privacy removed leaves the history, too: every earlier state of the thing itself, and, in earlier states of
--   what stays, each word of it: the authorships of a person who is no longer shown. A rollback does without them.
-- Parameters: institution.
-- Row count: changes of which something was blanked.
with touched as (
    select c.import_id, c.entity, c.key,
        bool_or(d.entity = 'department' or c.entity = d.entity) as whole,
        array_agg(d.key) as gone
    from ops.change c join delta d on
        (c.entity = d.entity and c.key = d.key)
        or (d.entity = 'author' and c.entity = 'output'
            and c.old @> jsonb_build_object('authorships', jsonb_build_array(jsonb_build_object('author_key', d.key))))
        or (d.entity = 'department' and c.entity <> 'department' and c.old -> 'departments' ? d.key)
    where c.institution = %(institution)s and d.reason = 'privacy' and not c.blanked
    group by c.import_id, c.entity, c.key
)
update ops.change c
set blanked = t.whole,
    old = case when not t.whole then jsonb_set(c.old, '{authorships}', coalesce((
        select jsonb_agg(a order by place) from jsonb_array_elements(c.old -> 'authorships') with ordinality as n (a, place)
        where a ->> 'author_key' <> all (t.gone)), '[]')) end
from touched t
where c.institution = %(institution)s and c.import_id = t.import_id and c.entity = t.entity and c.key = t.key
