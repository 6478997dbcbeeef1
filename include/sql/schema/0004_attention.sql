-- Online attention: what a provider answered, per account, as licences differ; and per institution, which output has which.
-- A tracked output is known by the identifier that it was first found by; the provider's own ids change and are attributes.

create table attention.account (
    account text collate "C" primary key check (account <> ''),
    provider text not null check (provider in ('details_page', 'file')),
    licence text,
    expires_at timestamptz,
    version text,
    batch_refused_at timestamptz,
    stopped text check (stopped in ('quota', 'refused', 'error', 'time')),
    stopped_at timestamptz,
    stopped_because text,
    added_at timestamptz not null default now(),
    check ((stopped is null) = (stopped_at is null))
);
comment on table attention.account is
    'An account with a provider: answers are shared by the institutions that use it. Deleting one deletes all that it delivered.';
comment on column attention.account.version is 'Of a file of records: the digest of its content.';
comment on column attention.account.batch_refused_at is 'When the provider last refused to be asked in batches.';
comment on column attention.account.stopped is 'Why the last asking ended before everything was asked; null when it did not.';

create table attention.subscription (
    institution text collate "C" primary key references ops.institution,
    account text collate "C" references attention.account on delete set null
);
comment on table attention.subscription is 'Whose account an institution''s outputs are asked with; null where none is configured.';

create table attention.budget_day (
    account text collate "C" references attention.account on delete cascade,
    day date,
    calls bigint not null check (calls >= 0),
    primary key (account, day)
);
comment on table attention.budget_day is 'Calls reserved by day (UTC), by all imports together.';

create table attention.asked (
    account text collate "C" not null references attention.account on delete cascade,
    scheme text collate "C" not null check (
        scheme in ('doi', 'pmid', 'arxiv', 'ads', 'nct_id', 'repec', 'handle', 'urn', 'isbn', 'uri')
    ),
    value text collate "C" not null check (value <> ''),
    answer text not null check (answer in ('tracked', 'untracked', 'invalid', 'error')),
    altmetric_id text collate "C",
    reason text,
    misses integer not null default 0 check (misses >= 0),
    asked_at timestamptz not null,
    due_at timestamptz not null check (due_at > asked_at),
    primary key (account, scheme, value),
    check ((answer = 'tracked') = (altmetric_id is not null)),
    check ((answer = 'untracked') = (misses > 0))
);
comment on table attention.asked is 'Identifiers that were asked for, with the answer and the time until which it counts.';
comment on column attention.asked.misses is 'How often in a row it was untracked: the oftener, the rarer it is asked for.';

create table attention.tracked_output (
    account text collate "C" not null references attention.account on delete cascade,
    tracked text collate "C" not null check (tracked ~ '^[a-z_]+:.'),
    altmetric_id text collate "C" not null check (altmetric_id <> ''),
    id_seen_at timestamptz not null,
    type text,
    score numeric check (score >= 0),
    mentions bigint check (mentions >= 0),
    readers jsonb not null default '{}' check (jsonb_typeof(readers) = 'object'),
    cohorts jsonb not null default '{}' check (jsonb_typeof(cohorts) = 'object'),
    gained jsonb not null default '{}' check (jsonb_typeof(gained) = 'object'),
    citations bigint check (citations >= 0),
    details_url text check (details_url ~ '^https?://'),
    badge_url text check (badge_url ~ '^https?://'),
    last_mentioned_at timestamptz,
    first_seen timestamptz not null,
    last_seen timestamptz,
    fetched_at timestamptz,
    changed_at timestamptz,
    due_at timestamptz not null,
    stale_since timestamptz,
    failed text,
    snapshot_day date,
    digest uuid,
    primary key (account, tracked),
    check ((fetched_at is null) = (mentions is null)),
    check ((fetched_at is null) = (snapshot_day is null) and (fetched_at is null) = (digest is null))
);
create index on attention.tracked_output (account, altmetric_id);
comment on column attention.tracked_output.tracked is 'scheme:value of the identifier that it was first found by.';
comment on column attention.tracked_output.score is 'The Attention Score as delivered; never computed here.';
comment on column attention.tracked_output.mentions is 'Posts, as delivered; null until its record was fetched.';
comment on column attention.tracked_output.gained is 'Score gained within windows of time, as delivered.';
comment on column attention.tracked_output.citations is 'Academic citations, only where a provider delivers them.';
comment on column attention.tracked_output.stale_since is 'Since when the provider does not know it any more: what stands here is the last that it said.';
comment on column attention.tracked_output.digest is 'Of score, counts and readers: an answer with another one is a change.';
comment on column attention.tracked_output.failed is 'Why its record could not be fetched the last time.';

create table attention.tracked_identifier (
    account text collate "C" not null,
    scheme text collate "C" not null,
    value text collate "C" not null,
    tracked text collate "C" not null,
    told boolean not null,
    primary key (account, scheme, value),
    foreign key (account, tracked) references attention.tracked_output on delete cascade
);
create index on attention.tracked_identifier (account, tracked);
comment on column attention.tracked_identifier.told is 'It stands in an answer, but was never asked for itself.';

create table attention.snapshot (
    account text collate "C" not null,
    tracked text collate "C" not null,
    day date not null,
    score numeric check (score >= 0),
    mentions bigint not null check (mentions >= 0),
    readers bigint not null default 0 check (readers >= 0),
    primary key (account, tracked, day),
    foreign key (account, tracked) references attention.tracked_output on delete cascade
);
comment on table attention.snapshot is
    'The series of a tracked output: a row for each day on which it was fetched and had changed; in between it had not.';

create table attention.snapshot_source (
    account text collate "C" not null,
    tracked text collate "C" not null,
    day date not null,
    source text collate "C" not null check (source <> ''),
    accounts bigint check (accounts >= 0),
    posts bigint check (posts >= 0),
    primary key (account, tracked, day, source),
    check (accounts is not null or posts is not null),
    foreign key (account, tracked, day) references attention.snapshot on delete cascade
);
comment on column attention.snapshot_source.accounts is 'Distinct accounts, outlets, pages; the same in all answers.';
comment on column attention.snapshot_source.posts is 'Mentions; only some answers say so by source.';

create table attention.mention (
    account text collate "C" not null,
    tracked text collate "C" not null,
    source text collate "C" not null,
    mention text collate "C" not null check (mention <> ''),
    outlet text,
    posted_at timestamptz,
    link text check (link ~ '^https?://'),
    primary key (account, tracked, source, mention),
    foreign key (account, tracked) references attention.tracked_output on delete cascade,
    check (source <> 'x' or (outlet is null and posted_at is null and link is null and mention ~ '^[0-9]+$'))
);
comment on table attention.mention is 'Mentions as source, outlet, date and link; never their text or a person; of a tweet the id alone.';

create table attention.link (
    institution text collate "C" not null references ops.institution,
    output_key text collate "C" not null,
    state text not null check (state in (
        'linked', 'no_mentions', 'untracked', 'no_identifier', 'invalid_identifier', 'not_asked_yet', 'quota', 'error',
        'feature_off')),
    account text collate "C",
    tracked text collate "C",
    scheme text collate "C",
    value text collate "C",
    others text[] collate "C" not null default '{}',
    changed_at timestamptz not null default now(),
    primary key (institution, output_key),
    foreign key (account, tracked) references attention.tracked_output on delete cascade,
    check ((state in ('linked', 'no_mentions')) = (tracked is not null)),
    check ((tracked is null) = (account is null) and (tracked is null) = (scheme is null) and (scheme is null) = (value is null)),
    check (tracked is not null or others = '{}')
);
create index on attention.link (account, tracked);
comment on table attention.link is 'For every published output the tracked output that it is, or the reason why there is none.';
comment on column attention.link.value is 'The identifier by which it was found, the first in the order of trust.';
comment on column attention.link.others is 'Other tracked outputs that its further identifiers lead to: a contradiction to be looked at; never added up.';

create table attention.rollup (
    institution text collate "C" not null references ops.institution on delete cascade,
    kind text not null check (kind in ('institution', 'department', 'author')),
    key text collate "C" not null check ((kind = 'institution') = (key = '')),
    outputs bigint not null check (outputs >= 0),
    tracked bigint not null check (tracked >= 0),
    with_attention bigint not null check (with_attention between 0 and tracked),
    mentions bigint not null check (mentions >= 0),
    mentions_week bigint not null,
    score_week numeric not null,
    primary key (institution, kind, key)
);
comment on table attention.rollup is
    'Sums over an institution, a department with all below it, an author. Each tracked output counts once, however many outputs are it.';
comment on column attention.rollup.mentions_week is 'Mentions now less those of seven days ago; negative where mentions were taken back. What was not known then counts as unchanged.';

create table attention.rollup_source (
    institution text collate "C" not null,
    kind text not null,
    key text collate "C" not null,
    source text collate "C" not null,
    accounts bigint not null check (accounts >= 0),
    tracked bigint not null check (tracked > 0),
    primary key (institution, kind, key, source),
    foreign key (institution, kind, key) references attention.rollup on delete cascade
);
comment on column attention.rollup_source.tracked is 'Tracked outputs that this source mentions.';

create table attention.rollup_top (
    institution text collate "C" not null,
    kind text not null,
    key text collate "C" not null,
    position integer not null check (position between 1 and 10),
    tracked text collate "C" not null,
    output_key text collate "C" not null,
    score numeric,
    primary key (institution, kind, key, position),
    foreign key (institution, kind, key) references attention.rollup on delete cascade
);

-- The identifiers of each output in the order in which they are asked: by trust; where an output has several values of a
-- scheme of which a work has one, these come last. arXiv IDs without version; an ISBN speaks for a book, never for a chapter.
create view attention.askable as
select i.institution, i.output_key, i.scheme, i.value,
    min(array_position(array['doi', 'pmid', 'arxiv', 'ads', 'nct_id', 'repec', 'handle', 'urn', 'isbn', 'uri'], i.scheme::text)
        + case when i.several > 1 then 100 when i.derived then 50 else 0 end) as rank
from (
    select institution, output_key, scheme, derived,
        case when scheme = 'arxiv' then regexp_replace(value, 'v[0-9]+$', '') else value end collate "C" as value,
        case when scheme in ('doi', 'pmid', 'arxiv', 'ads', 'nct_id')
            then count(*) filter (where not derived) over (partition by institution, output_key, scheme) end as several
    from warehouse.output_identifier
) i join warehouse.research_output o on o.institution = i.institution and o.key = i.output_key
where i.scheme <> 'isbn' or o.type is null or o.type !~* 'chapter|book (section|item|part)|book_(section|item|part)'
group by i.institution, i.output_key, i.scheme, i.value;
