-- Purpose: the end of departments that records name in passing and that are not published: they are known under another key,
--   or nothing that is published is theirs.
-- Row count: those departments.
update verdict v
set verdict = case when a.key is null then 'excluded' else 'merged' end, stage = 'review',
    rule = case when a.key is null then 'no_output' else 'known_by_id' end,
    reason = case when a.key is null then 'no published output names it, or a department below it' end
from department d left join department_alias a on a.alias = d.key
where v.entity = 'department' and v.record = d.record and v.verdict = 'kept'
    and not exists (select from desired_department n where n.key = d.key)
