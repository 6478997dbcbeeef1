-- Purpose: what each privacy rule dropped, as counts; never the things.
-- Parameters: import_id.
-- Row count: rules that dropped something.
insert into ops.privacy_drop (import_id, entity, rule, dropped)
select %(import_id)s, entity, rule, count(*) from verdict where verdict = 'dropped_by_privacy' group by entity, rule
union all
select %(import_id)s, 'authorship', 'relationship_or_end_not_shared', count(*)
from contribution c join output_record r using (record)
where not exists (select from verdict v where v.entity = 'output' and v.record = c.record)
    and not exists (select from credit p where p.record = c.record and p.position = c.position)
having count(*) > 0
