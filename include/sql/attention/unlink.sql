-- Purpose: forgets the links of outputs that are not published any more.
-- Parameters: institution.
-- Row count: outputs.
delete from attention.link l
where l.institution = %(institution)s and not exists (
    select from warehouse.research_output o where o.institution = %(institution)s and o.key = l.output_key)
