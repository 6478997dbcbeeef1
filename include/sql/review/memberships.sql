-- Purpose: where records live by set: which sets still have each record that this import heard of, or that was in a set
--   which is there no more. A record's membership in a set is what the newest answer of that set says; of sets that said
--   nothing this time, and are still there, the published memberships stand, unless everything was read.
-- Parameters: institution; whole.
-- Row count: records that some set has.
insert into membership (key, sets)
with asked as materialized (
    select %(whole)s::boolean as whole  -- apart: a condition that is false from the start would keep partitions from being pruned
), there as (
    select distinct via from part where via is not null
), stated as (
    select distinct on (o.key, p.via) o.key, p.via, o.deleted
    from output o join part p on p.number = o.record >> 50
    where p.via is not null and o.key is not null
    order by o.key, p.via, o.datestamp desc nulls last, o.clock desc nulls last, o.deleted desc, o.content desc, o.record desc
), published as (
    select w.key, named.via
    from warehouse.research_output w cross join lateral unnest(w.groups) as named (via)
    where w.institution = %(institution)s and not (select whole from asked)
        and named.via in (select via from there)
        and not exists (select from stated s where s.key = w.key and s.via = named.via)
        and (exists (select from stated s where s.key = w.key)
            or not w.groups <@ (select coalesce(array_agg(via), '{}') from there))
)
select key, array_agg(via order by via)
from (select key, via from stated where not deleted union select key, via from published) had
group by key
