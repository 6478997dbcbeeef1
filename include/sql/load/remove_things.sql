-- Purpose: removes outputs, authors or departments.
-- Parameters: entity. Identifiers: published, the table.
-- Row count: things removed.
delete from {published} t using delta d where d.entity = %(entity)s and d.action = 'remove' and d.key = t.key
