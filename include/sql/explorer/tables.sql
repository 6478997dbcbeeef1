-- Purpose: the tables of a schema, for the page about the data model; leaves of partitioned tables left out.
-- Parameters: schema.
-- Row count: tables.
select c.relname, obj_description(c.oid),
    (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ', required' else '' end,
        'comment', col_description(c.oid, a.attnum)) order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    (select coalesce(jsonb_agg(replace(pg_get_constraintdef(k.oid), '|', '\|') order by k.contype desc, k.conname), '[]')
        from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'f', 'u', 'c'))
from pg_class c
where c.relnamespace = to_regnamespace(%(schema)s) and c.relkind in ('r', 'p') and not c.relispartition
order by c.relname
