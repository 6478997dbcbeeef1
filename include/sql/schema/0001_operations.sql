-- The books of the pipeline: who is imported, every import, and why a record is not shown.

create schema if not exists ops;
create schema warehouse;
create schema attention;
create schema explorer;

create table ops.secret (
    name text primary key,
    value bytea not null
);
comment on table ops.secret is 'Keys that belong to this warehouse alone, made at random once: the key of the e-mail hash.';
insert into ops.secret values ('author_hash', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

create table ops.institution (
    slug text collate "C" primary key check (slug ~ '^[a-z][a-z0-9_]*$' and length(slug) <= 30),
    name text not null,
    source text not null,
    configured_in text,
    version bigint not null default 0,
    hold text,
    history_from bigint not null default 0,
    added_at timestamptz not null default now()
);
comment on column ops.institution.configured_in is 'The YAML file that it was last imported with.';
comment on column ops.institution.version is 'Grows by one whenever what is published changes; an import that reviewed another version is reviewed again.';
comment on column ops.institution.history_from is 'The oldest import that the history still reaches back to.';
comment on column ops.institution.hold is 'Why scheduled imports are on hold; null when they are not.';

create table ops.import (
    id bigint generated always as identity primary key,
    institution text collate "C" not null references ops.institution,
    run_key text not null,
    kind text not null default 'import' check (kind in ('import', 'rollback', 'purge')),
    mode text not null check (mode in ('full', 'incremental')),
    reason text not null,
    dry_run boolean not null default false,
    status text not null default 'running' check (
        status in ('running', 'awaiting_approval', 'succeeded', 'failed', 'declined', 'dry_run', 'rolled_back')
    ),
    base_version bigint not null,
    fingerprint text not null,
    plan jsonb not null default '{}',
    watermarks jsonb not null default '{}',
    staging_until timestamptz not null,
    run_url text,
    tally jsonb not null default '{}',
    attention jsonb not null default '{}',
    seconds jsonb not null default '{}',
    peak_rss_mb integer,
    error jsonb,
    approved_by text,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    published_at timestamptz,
    unique (institution, run_key),
    check ((status in ('running', 'awaiting_approval')) = (finished_at is null))
);
create unique index import_one_at_a_time on ops.import (institution) where status in ('running', 'awaiting_approval');
create index import_latest on ops.import (institution, id desc);
create table ops.lease (
    import_id bigint primary key references ops.import on delete cascade,
    holder jsonb not null default '{}',
    until timestamptz not null
);
comment on table ops.lease is 'Who works on an import and until when that may be believed; apart from the import''s row, which a '
    'working task keeps locked.';

comment on column ops.import.plan is 'What the source was asked: watermarks by part.';
comment on column ops.import.watermarks is 'The source''s clock at the start of this import, by part; the next incremental import starts there.';

create table ops.rejected_record (
    import_id bigint not null references ops.import on delete cascade,
    entity text not null check (entity in ('output', 'author', 'department')),
    verdict text not null check (verdict in ('rejected', 'excluded')),
    key text,
    place text,
    stage text not null,
    rule text not null,
    reason text not null,
    field text,
    value text,
    payload jsonb
);
create index rejected_record_of_import on ops.rejected_record (import_id, verdict, entity, rule);
comment on column ops.rejected_record.payload is 'The record, only where the institution''s privacy rules would let it pass.';

create table ops.record_note (
    import_id bigint not null references ops.import on delete cascade,
    entity text not null,
    key text,
    place text,
    code text not null,
    severity text not null check (severity in ('info', 'warning')),
    field text,
    value text,
    repaired_to text,
    message text not null
);
create index record_note_of_import on ops.record_note (import_id, code);

create table ops.privacy_drop (
    import_id bigint not null references ops.import on delete cascade,
    entity text not null,
    rule text not null,
    dropped bigint not null,
    primary key (import_id, entity, rule)
);
comment on table ops.privacy_drop is 'How many things each privacy rule dropped; never the things.';

create table ops.change (
    institution text collate "C" not null references ops.institution,
    import_id bigint not null references ops.import on delete cascade,
    entity text not null check (entity in ('output', 'author', 'department')),
    key text collate "C" not null,
    action text not null check (action in ('add', 'update', 'remove')),
    reason text not null,
    old jsonb,
    blanked boolean not null default false,
    primary key (institution, import_id, entity, key)
);
create index change_of_key on ops.change (institution, entity, key, import_id);
comment on column ops.change.old is 'What it was before; null when it was added. What it became is the next old, or the present.';

create table ops.notice (
    import_id bigint not null references ops.import on delete cascade,
    address text not null,
    message_id text not null,
    state text not null check (state in ('sending', 'sent')),
    at timestamptz not null default now(),
    primary key (import_id, address)
);
comment on table ops.notice is 'Mails by import and address, so that a repeated task sends none twice.';

-- One spelling of a name: NFKC, case folded, single blanks. The same rule as in Python.
create function ops.name_key(name text) returns text language sql immutable as $$
    select 'name:' || btrim(regexp_replace(casefold(normalize(name, NFKC) collate pg_unicode_fast), '\s+', ' ', 'g'))
$$;
