-- Purpose: drops what the institution does not share (integration guide, "Object privacy settings", "User status and user
--   profile type settings"): every rule must let a thing pass, and a level that is missing or unknown counts as private.
-- Parameters: levels, those that pass; user_status, all | current; profile_types, all | academic_or_student | academic.
-- Row count: records dropped.
insert into verdict (entity, record, verdict, stage, rule)
select entity, record, 'dropped_by_privacy', 'privacy_filter', rule
from (
    select 'output' as entity, record, level, withheld, null as person_rule from output
    union all
    select 'department', record, level, withheld, null from department
    union all
    select 'author', record, level, withheld,
        person_withheld(%(user_status)s, %(profile_types)s, is_current, is_academic, is_student)
    from author
) things
cross join lateral (
    select case
        when withheld is not null then withheld
        when level is null or level not in ('public', 'internal', 'private') then 'level_unknown'
        when level <> all(%(levels)s) then 'level_' || level
        else person_rule
    end as rule
) judged
where rule is not null
    and not exists (select from verdict v where v.entity = things.entity and v.record = things.record)
