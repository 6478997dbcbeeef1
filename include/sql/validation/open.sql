-- Purpose: where the records that break a rule are gathered, for this transaction alone (several statements, no parameters).
drop table if exists pg_temp.broken_rule;
create temp table broken_rule (
    ordinal integer not null,
    entity text not null,
    record bigint not null,
    rule text not null,
    reason text not null,
    field text,
    value text
) on commit drop;
