-- Purpose: writes down every record that is not published for a reason of its own (rejected, excluded), for people to read.
--   Where the source knows privacy, content is kept only of records that privacy would let pass.
-- Parameters: import_id; knows_privacy; levels, those that pass.
-- Row count: records written down.
insert into ops.rejected_record (import_id, entity, verdict, key, place, stage, rule, reason, field, value, payload)
select %(import_id)s, v.entity, v.verdict, s.key, s.place, v.stage, v.rule, coalesce(v.reason, v.rule), v.field,
    case when s.shown then v.value end,
    case when s.shown and v.verdict = 'rejected' then s.payload end
from verdict v
join lateral (
    select o.key, o.place, (not %(knows_privacy)s or coalesce(o.level = any(%(levels)s), false)) as shown,
        jsonb_strip_nulls(jsonb_build_object('title', o.title, 'type', o.type, 'year', o.year, 'venue', o.venue,
            'departments', o.groups, 'identifiers', (
                select jsonb_agg(jsonb_build_object('scheme', i.scheme, 'value', i.value)
                    order by i.scheme, i.value) from output_identifier i where i.record = o.record))) as payload
    from output o where v.entity = 'output' and o.record = v.record
    union all
    select a.key, a.place, not %(knows_privacy)s, jsonb_build_object('name', a.name)
    from author a where v.entity = 'author' and a.record = v.record
    union all
    select d.key, d.place, (not %(knows_privacy)s or coalesce(d.level = any(%(levels)s), false)),
        jsonb_build_object('name', d.name)
    from department d where v.entity = 'department' and d.record = v.record
) s on true
where v.verdict in ('rejected', 'excluded')
order by v.entity, v.record
