-- Purpose: ends an import that is published: version, tally, watermarks.
-- Parameters: institution, import_id, tally, watermarks.
-- Row count: 1.
with turned as (
    update ops.institution set version = version + 1 where slug = %(institution)s
)
update ops.import
set status = 'succeeded', tally = %(tally)s, watermarks = %(watermarks)s, published_at = now(), finished_at = now()
where id = %(import_id)s
