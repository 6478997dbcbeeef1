-- Purpose: keeps a file's content as its last sound version.
-- Parameters: institution, name, content.
-- Row count: 1.
insert into ops.kept_file (institution, name, content) values (%(institution)s, %(name)s, %(content)s)
on conflict (institution, name) do update set content = excluded.content, read_at = now(), problem = null
