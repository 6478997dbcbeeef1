-- Purpose: what privacy removed leaves the history, too: every earlier state of the thing itself, and, in earlier states of
--   what stays, each word of it: the authorships of a person who is no longer shown, an authorship that is itself no longer
--   shown (its author and its output are), the place below a department. A rollback does without them. So does what went
--   without a word, before the source said that it is private.
-- Parameters: institution.
-- Row count: changes of which something was blanked.
with gone as (
    select entity, key from delta where reason = 'privacy'
    union
    select h.entity, h.key from hidden_thing h join ops.change c
        on c.institution = %(institution)s and c.entity = h.entity and c.key = h.key and not c.blanked
), is_hit as materialized (  -- where nothing is gone the history is not read
    select coalesce(bool_or(entity = 'author'), false) as author, coalesce(bool_or(entity = 'department'), false) as department
    from gone
), touches as (
    select c.import_id, c.entity, c.key, d.key as gone, true as whole
    from gone d join ops.change c on c.institution = %(institution)s and c.entity = d.entity and c.key = d.key
    where not c.blanked
    union all
    select c.import_id, c.entity, c.key, d.key, false
    from ops.change c cross join lateral jsonb_array_elements(c.old -> 'authorships') as n (credit)
    join gone d on d.entity = 'author' and d.key = credit ->> 'author_key'
    where c.institution = %(institution)s and not c.blanked and c.entity = 'output' and (select author from is_hit)
    union all
    select c.import_id, c.entity, c.key, d.key, false
    from ops.change c cross join lateral jsonb_array_elements_text(c.old -> 'parents') as n (parent)
    join gone d on d.entity = 'department' and d.key = parent
    where c.institution = %(institution)s and not c.blanked and c.entity = 'department' and (select department from is_hit)
    union all
    select c.import_id, c.entity, c.key, d.key, true
    from ops.change c cross join lateral (
        select jsonb_array_elements_text(c.old -> 'departments')
        union
        select jsonb_array_elements_text(c.old -> 'groups')
        union
        select jsonb_array_elements_text(credit -> 'departments') from jsonb_array_elements(c.old -> 'authorships') n (credit)
    ) as n (place)
    join gone d on d.entity = 'department' and d.key = place
    where c.institution = %(institution)s and not c.blanked and c.entity <> 'department' and (select department from is_hit)
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
