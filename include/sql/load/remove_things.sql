-- Purpose: removes outputs, authors or departments.
-- Parameters: entity, institution. Identifiers: published, the table.
-- Row count: things removed.
delete from {published} t using delta d
where t.institution = %(institution)s and d.entity = %(entity)s and d.action = 'remove' and d.key = t.key
