-- Purpose: what privacy removed leaves the history, too: every earlier state of the thing itself, and, in earlier states of
--   what stays, each word of it: the authorships of a person who is no longer shown, an authorship that is itself no longer
--   shown (its author and its output are), the place below a department. A rollback does without them.
-- Parameters: institution.
-- Row count: changes of which something was blanked.
with touches as (
    select c.import_id, c.entity, c.key, d.key as gone,
        (c.entity = d.entity and c.key = d.key) or (d.entity = 'department' and c.entity <> 'department') as whole
    from ops.change c join delta d on
        (c.entity = d.entity and c.key = d.key)
        or (d.entity = 'author' and c.entity = 'output'
            and c.old @> jsonb_build_object('authorships', jsonb_build_array(jsonb_build_object('author_key', d.key))))
        or (d.entity = 'department' and c.entity = 'department' and c.old -> 'parents' ? d.key)
        or (d.entity = 'department' and c.entity <> 'department' and (c.old -> 'departments' ? d.key or c.old -> 'groups' ? d.key))
    where c.institution = %(institution)s and d.reason = 'privacy' and not c.blanked
    union all
    select c.import_id, c.entity, c.key, l.author, false
    from hidden_authorship l join ops.change c on c.institution = %(institution)s and c.entity = 'output' and c.key = l.output
    where not c.blanked
        and c.old @> jsonb_build_object('authorships', jsonb_build_array(jsonb_build_object('author_key', l.author)))
), touched as (
    select import_id, entity, key, bool_or(whole) as whole, array_agg(gone) as gone
    from touches group by import_id, entity, key
)
update ops.change c
set blanked = t.whole,
    old = case
        when t.whole then null
        when c.entity = 'department' then jsonb_set(c.old, '{parents}', (c.old -> 'parents') - t.gone)
        else jsonb_set(c.old, '{authorships}', coalesce((
            select jsonb_agg(a order by place) from jsonb_array_elements(c.old -> 'authorships') with ordinality as n (a, place)
            where a ->> 'author_key' <> all (t.gone)), '[]'))
    end
from touched t
where c.institution = %(institution)s and c.import_id = t.import_id and c.entity = t.entity and c.key = t.key
