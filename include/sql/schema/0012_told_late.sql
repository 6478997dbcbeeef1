-- Of whom the operators know that they are late: who is looked at every hour is told of once a day.
create table ops.told_late (
    institution text collate "C" primary key,
    told_at timestamptz not null default now()
);
comment on table ops.told_late is 'Institutions that are late, and when the operators were last told so.';
