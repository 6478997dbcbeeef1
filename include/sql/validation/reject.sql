-- Purpose: rejects every record that breaks a rule; the first rule that it breaks is the reason, and of several values that
--   break it the least in byte order is shown, shortened, with whatever looks like an e-mail address blanked.
-- Identifiers: schema, the staging of this import. Parameters: address (regular expression), blank (what stands instead).
-- Rows: entity, and how many of its records were rejected.
with rejected as (
    insert into {schema}.verdict (entity, record, verdict, stage, rule, reason, field, value)
    select distinct on (entity, record) entity, record, 'rejected', 'validate', rule, reason, field,
        left(regexp_replace(value, %(address)s, %(blank)s, 'g'), 200)
    from pg_temp.broken_rule
    order by entity, record, ordinal, value collate "C"
    on conflict do nothing
    returning entity
)
select entity, count(*) from rejected group by entity
