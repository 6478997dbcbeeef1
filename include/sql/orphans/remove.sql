-- Purpose: removes outputs without authors (integration guide, "Post synchronization clean-up"). L counts the author links
--   that the source states, whatever their privacy; V those that pass. remove_authorless removes where L = 0,
--   remove_authorless_and_privacy where V = 0.
-- Parameters: policy, one of keep | remove_authorless | remove_authorless_and_privacy.
-- Row count: records whose output is removed.
insert into verdict (entity, record, verdict, stage, rule)
select 'output', r.record, 'orphaned', 'clean_up_orphans',
    case when stated then 'authorless_by_privacy' else 'authorless' end
from output_record r join (
    select r.key,
        bool_or(exists (select from contribution c where c.record = r.record)) as stated,
        bool_or(exists (select from credit c where c.record = r.record)) as shown
    from output_record r
    where not exists (select from verdict v where v.entity = 'output' and v.record = r.record)
    group by r.key
) links using (key)
where case %(policy)s
        when 'remove_authorless' then not stated
        when 'remove_authorless_and_privacy' then not shown
        else false
    end
    and not exists (select from verdict v where v.entity = 'output' and v.record = r.record)
