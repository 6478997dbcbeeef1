-- Purpose: ends an import that is published: version and watermarks. One that lost a part of the source does not say success.
-- Parameters: institution, import_id, status, error, watermarks.
-- Row count: 1.
with turned as (
    update ops.institution set version = version + 1 where slug = %(institution)s
)
update ops.import
set status = %(status)s, error = %(error)s, watermarks = %(watermarks)s, published_at = now(), finished_at = now()
where id = %(import_id)s
