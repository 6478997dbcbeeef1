-- Purpose: the tables of this database session: what is to be asked, what was answered, which records came.
-- Parameters: none.
-- Row count: means nothing.
create temp table if not exists work (
    position bigint generated always as identity primary key,
    scheme text collate "C" not null,
    value text collate "C" not null
);
create temp table if not exists answer (
    scheme text collate "C" not null,
    value text collate "C" not null,
    answer text not null,
    altmetric_id text collate "C",
    reason text,
    own text collate "C" generated always as (scheme || ':' || value) stored,
    tracked text collate "C"
);
create index if not exists answer_own on answer (own);
create index if not exists answer_id on answer (altmetric_id);
create temp table if not exists record (
    altmetric_id text collate "C" primary key,
    digest uuid not null,
    type text,
    score numeric,
    mentions bigint not null,
    reader_count bigint not null,
    readers jsonb not null,
    cohorts jsonb not null,
    gained jsonb not null,
    citations bigint,
    details_url text,
    badge_url text,
    last_mentioned_at timestamptz,
    sources jsonb not null,
    identifiers jsonb not null,
    posts jsonb
);
create temp table if not exists place (
    place integer primary key,
    kind text not null,
    key text collate "C" not null
);
create temp table if not exists mine (
    account text collate "C" not null,
    tracked text collate "C" not null,
    outputs bigint not null
);
create temp table if not exists item (
    item integer primary key,
    account text collate "C" not null,
    tracked text collate "C" not null,
    outputs bigint not null,
    snapshot_day date,
    score numeric,
    mentions bigint not null,
    mentions_week bigint not null,
    score_week numeric not null
);
create temp table if not exists standing (
    key text collate "C" not null,
    item integer,
    shared boolean not null,
    departments integer[] not null
);
create index if not exists standing_shared on standing (item) where shared;
create temp table if not exists part (
    part integer primary key,
    outputs bigint not null,
    departments integer[]
);
create temp table if not exists reach (
    part integer not null,
    place integer not null
);
create temp table if not exists placed (
    part integer not null,
    item integer not null
)
