-- Purpose: outputs, and the list of all outputs, may name departments that are not shown, or that the source does not let us
--   see: no word of those goes on, not even a key. One that is shown one day is named again by the source that day.
-- Row count: outputs that named one.
with hidden as (
    select coalesce(array_agg(key), '{}') as keys
    from (
        select unnest(groups) as key from output
        union
        select unnest(groups) from listed
        except
        select d.key from department d
        where not exists (select from verdict v where v.entity = 'department' and v.record = d.record)
    ) named
), listed_without as (
    update listed l set groups = array(select key from unnest(l.groups) as key where key <> all (hidden.keys))
    from hidden where l.groups && hidden.keys
)
update output o set groups = array(select key from unnest(o.groups) as key where key <> all (hidden.keys))
from hidden where o.groups && hidden.keys
