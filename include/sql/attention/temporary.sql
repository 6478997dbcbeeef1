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
create temp table if not exists placed (
    kind text not null,
    key text collate "C" not null,
    item integer,
    outputs bigint not null,
    output_key text collate "C" not null
);
create temp table if not exists item (
    item integer primary key,
    tracked text collate "C" not null,
    output_key text collate "C" not null,
    score numeric,
    mentions bigint not null,
    mentions_week bigint not null,
    score_week numeric not null,
    sources jsonb not null
)
