-- Purpose: where records live by set: a record that one set gave up while another has it is computed again from what is
--   published, and so is one of a set that is there no more; one that no set has is gone.
-- Parameters: institution.
-- Row count: outputs whose place in the scope follows from their sets.
insert into scope (entity, key, cause)
select 'output', w.key, case when m.key is null then 'absent' else 'reexamined' end
from warehouse.research_output w left join membership m on m.key = w.key
where w.institution = %(institution)s
    and exists (select from part where via is not null)
    and not exists (select from output o where o.key = w.key and not o.deleted)
    and (m.key is not null
        or not w.groups <@ (select coalesce(array_agg(via), '{}') from part where via is not null))
on conflict (entity, key) do update set cause = excluded.cause
