-- Purpose: remembers the outputs that were read and are not published, though somebody wrote them who is shown; what privacy
--   dropped is not remembered.
-- Parameters: institution.
-- Row count: outputs that are newly remembered, or with others.
with now as (
    select p.output, p.digest from passing p
    where not exists (select from warehouse.research_output w where w.institution = %(institution)s and w.key = p.output)
        and not exists (
            select from output o join verdict v on v.entity = 'output' and v.record = o.record
            where o.key = p.output and v.verdict = 'dropped_by_privacy')
), forgotten as (
    delete from ops.left_out l
    where l.institution = %(institution)s and not exists (select from now n where n.output = l.output_key)
)
insert into ops.left_out (institution, output_key, digest)
select %(institution)s, output, digest from now
on conflict (institution, output_key) do update set digest = excluded.digest where left_out.digest <> excluded.digest
