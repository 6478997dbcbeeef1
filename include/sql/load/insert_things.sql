-- Purpose: adds outputs, authors or departments.
-- Parameters: entity, institution. Identifiers: published, desired; columns, and values of them (with the import's number).
-- Row count: things added.
insert into {published} ({columns})
select {values} from {desired} n join delta d on d.entity = %(entity)s and d.action = 'add' and d.key = n.key
order by n.key
