-- Purpose: sound outputs that stay out: an excluded set, no affiliation, no supported identifier
--   (integration guide, "Publications and identifiers": only items with persistent identifiers).
-- Row count: those records.
insert into verdict (entity, record, verdict, stage, rule, reason)
select 'output', o.record, 'excluded', 'validate', coalesce(o.excluded, 'no_identifier'),
    case coalesce(o.excluded, 'no_identifier')
        when 'set' then 'it belongs to a set that the configuration leaves out'
        when 'affiliation' then 'it is not affiliated with the institution'
        else 'it has no supported identifier, and without one no attention can be found: add a DOI, Handle, ISBN …'
    end
from output o
where o.withheld is null  -- that came without content: privacy has a rule for it
    and (o.excluded is not null or not exists (select from output_identifier i where i.record = o.record))
    and not exists (select from verdict v where v.entity = 'output' and v.record = o.record)
