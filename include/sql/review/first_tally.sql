-- Purpose: what is known of an import's tally before its review: what was read and what became of it so far. Nothing has
--   changed, so what is published is what was.
-- Parameters: institution, import_id.
-- Row count: 1.
update ops.import set tally = (
    select jsonb_object_agg(entity || 's', jsonb_build_object(
        'extracted', extracted, 'duplicates', duplicates, 'deleted', deleted, 'rejected', rejected, 'excluded', excluded,
        'published', case entity
            when 'output' then (select count(*) from warehouse.research_output where institution = %(institution)s)
            when 'author' then (select count(*) from warehouse.author where institution = %(institution)s)
            else (select count(*) from warehouse.department where institution = %(institution)s) end))
    from (
        select e.entity,
            case e.entity when 'output' then (select count(*) from output) when 'author' then (select count(*) from author)
                else (select count(*) from department) end as extracted,
            count(*) filter (where verdict = 'duplicate') as duplicates, count(*) filter (where verdict = 'deleted') as deleted,
            count(*) filter (where verdict = 'rejected') as rejected, count(*) filter (where verdict = 'excluded') as excluded
        from (values ('output'), ('author'), ('department')) e (entity) left join verdict v using (entity)
        group by e.entity
    ) ends
)
where id = %(import_id)s
