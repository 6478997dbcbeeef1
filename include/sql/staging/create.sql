-- Purpose: the tables of one import, in a schema of its own (the search path stands on it).
-- All of it shares one fate: unlogged, so a crash of Postgres empties rows, progress and phase together.

create unlogged table state (
    one_row boolean primary key default true check (one_row),
    phase text not null,
    at timestamptz not null default now(),
    attempts jsonb not null default '{}'  -- by task, the latest that was let in
);
create unlogged table part (
    name text collate "C" primary key,
    number integer not null unique,
    scope text not null,
    start jsonb not null,
    cursor jsonb,
    attempt integer not null default 0,
    page integer not null default 0,
    via text collate "C",  -- the set that it reads, where records live by set
    whole text collate "C",  -- the list that it is a window of
    last boolean not null default false,  -- is read when all others are
    records bigint not null default 0,
    beside jsonb not null default '{}',  -- records of other scopes that came with them, as numbers by entity
    expected bigint,
    clock text,
    mark text,
    done boolean not null default false,
    incomplete text,
    repairs jsonb not null default '{}'
);

-- Records as read; rows are only ever added. A record's number holds part, attempt, page and position.
create unlogged table output (
    record bigint not null,
    key text collate "C",
    place text,
    title text,
    type text,
    year integer,
    venue text,
    groups text[] collate "C" not null,
    datestamp text collate "C",
    clock text collate "C",
    deleted boolean not null,
    level text,
    withheld text,
    excluded text,
    content uuid not null
);
create unlogged table output_identifier (
    record bigint not null, scheme text collate "C" not null, value text collate "C" not null, derived boolean not null
);
create unlogged table contribution (
    record bigint not null,
    position integer not null,
    author text collate "C" not null,
    name text not null,
    ids jsonb not null,
    departments text[] collate "C" not null,
    relation text collate "C",
    level text
);
create unlogged table author (
    record bigint not null,
    key text collate "C" not null,
    place text,
    name text not null,
    ids jsonb not null,
    departments text[] collate "C" not null,
    level text,
    withheld text,
    is_current boolean,
    is_academic boolean,
    is_student boolean,
    datestamp text collate "C",
    clock text collate "C",
    deleted boolean not null,
    content uuid not null
);
create unlogged table department (
    record bigint not null,
    key text collate "C" not null,
    place text,
    name text not null,
    parents text[] collate "C" not null,
    level text,
    withheld text,
    datestamp text collate "C",
    clock text collate "C",
    content uuid not null
);
-- Who wrote what, where a source lists that apart: as read, and then each once, with its place on the output.
create unlogged table relationship (
    record bigint not null,
    key text collate "C" not null,
    output text collate "C" not null,
    author text collate "C" not null,
    level text,
    datestamp text collate "C",
    clock text collate "C",
    departments text[] collate "C",
    position integer
);
create unlogged table authorship (
    key text collate "C" not null, output text collate "C" not null, author text collate "C" not null, level text,
    departments text[] collate "C", position integer not null
);
-- Keys of outputs that are there now, where a source lists them apart; and published outputs that are not among them.
create unlogged table listed (
    record bigint not null, key text collate "C" not null, datestamp text collate "C", groups text[] collate "C"
);
create unlogged table absent (key text collate "C" primary key);
-- Outputs that somebody wrote who is shown, where who wrote what is known from the list of outputs alone.
create unlogged table passing (output text collate "C" primary key, digest uuid not null);
create unlogged table refusal (
    entity text not null, record bigint not null, rule text not null, reason text not null, field text, value text
);
create unlogged table note (
    entity text not null, record bigint not null, code text not null, severity text not null, field text, value text,
    repaired_to text, message text not null
);

-- What becomes of each record: one end, given by the first stage that has a reason.
create unlogged table verdict (
    entity text not null,
    record bigint not null,
    verdict text not null check (
        verdict in ('duplicate', 'deleted', 'rejected', 'excluded', 'dropped_by_privacy', 'orphaned', 'merged', 'kept')
    ),
    stage text not null,
    rule text not null,
    reason text,
    field text,
    value text,
    primary key (entity, record)
);
-- Which output a record belongs to: its own key, or for rows of a spreadsheet the key of the output that they make.
create unlogged table output_record (record bigint primary key, key text collate "C" not null);
-- Credits that pass the privacy rules.
create unlogged table credit (
    record bigint not null, position integer not null, author text collate "C" not null, name text not null,
    ids jsonb not null, departments text[] collate "C" not null, relation text collate "C"
);
create index credit_by_record on credit (record);

-- What should be published, within the scope of this import, and how that differs from what is.
create unlogged table scope (entity text not null, key text collate "C" not null, cause text not null, primary key (entity, key));
create unlogged table desired_department (key text collate "C" not null, name text not null, fingerprint uuid);
create unlogged table desired_department_parent (department_key text collate "C" not null, parent_key text collate "C" not null);
create unlogged table department_alias (alias text collate "C" primary key, key text collate "C" not null);
create unlogged table membership (key text collate "C" primary key, sets text[] collate "C" not null);
create unlogged table desired_author (key text collate "C" not null, name text not null, ids jsonb not null, fingerprint uuid);
create unlogged table desired_author_department (author_key text collate "C" not null, department_key text collate "C" not null);
create unlogged table desired_output (
    key text collate "C" not null, title text, type text, year integer, venue text, groups text[] collate "C" not null,
    fingerprint uuid
);
create unlogged table desired_output_identifier (
    output_key text collate "C" not null, scheme text collate "C" not null, value text collate "C" not null,
    derived boolean not null
);
create unlogged table desired_authorship (
    output_key text collate "C" not null, author_key text collate "C" not null, position integer not null,
    name text not null, ids jsonb not null, relation text collate "C"
);
create unlogged table desired_authorship_department (
    output_key text collate "C" not null, author_key text collate "C" not null, department_key text collate "C" not null
);
create unlogged table desired_output_department (output_key text collate "C" not null, department_key text collate "C" not null);
create unlogged table delta (
    entity text not null,
    key text collate "C" not null,
    action text not null check (action in ('add', 'update', 'remove')),
    reason text not null,
    rekeyed text collate "C",
    old jsonb,
    primary key (entity, key)
);

-- Two objects of numbers as one.
create function added(numbers jsonb, more jsonb) returns jsonb language sql immutable as $$
    select coalesce(jsonb_object_agg(key, n), '{}')
    from (
        select key, sum(value::bigint) as n
        from (select * from jsonb_each_text(numbers) union all select * from jsonb_each_text(more)) both_of_them
        group by key
    ) sums
$$;

-- Why the institution does not show a person, by status and profile type (integration guide, "User status and user profile
-- type settings"); null where nothing speaks against it. The level is another matter.
create function person_withheld(user_status text, profile_types text, is_current boolean, is_academic boolean, is_student boolean)
returns text language sql immutable as $$
    select case
        when user_status = 'current' and is_current is not true then 'not_current'
        when profile_types = 'academic' and is_academic is not true then 'not_academic'
        when profile_types = 'academic_or_student' and is_academic is not true and is_student is not true
            then 'not_academic_or_student'
    end
$$;

-- Records that are published, each with the output that it makes (part of); the review reads it again and again.
create unlogged table published_record (record bigint not null, key text collate "C" not null);

-- What Great Expectations looks at: records that have no end yet.
create view output_to_validate as
    select o.record, coalesce(o.key, o.place) as key, o.place, o.title, o.type, o.year, o.venue, o.datestamp
    from output o where not exists (select from verdict v where v.entity = 'output' and v.record = o.record);
create view identifier_to_validate as
    select i.record, i.scheme, i.value
    from output_identifier i where not exists (select from verdict v where v.entity = 'output' and v.record = i.record);
create view contribution_to_validate as
    select c.record, c.author as key, c.name
    from contribution c where not exists (select from verdict v where v.entity = 'output' and v.record = c.record);
create view author_to_validate as
    select a.record, a.key, a.place, a.name
    from author a where not exists (select from verdict v where v.entity = 'author' and v.record = a.record);
create view department_to_validate as
    select d.record, d.key, d.place, d.name, d.parents
    from department d where not exists (select from verdict v where v.entity = 'department' and v.record = d.record);

-- Authorships that the source tells and that are themselves not shown, whoever wrote the output, and whatever became of it.
create unlogged table hidden_authorship (output text collate "C" not null, author text collate "C" not null);

-- What was read and is not shown, by key.
create view hidden_thing as
    select v.entity, coalesce(o.key, a.key, d.key) as key
    from verdict v
    left join output o on v.entity = 'output' and o.record = v.record
    left join author a on v.entity = 'author' and a.record = v.record
    left join department d on v.entity = 'department' and d.record = v.record
    where v.verdict = 'dropped_by_privacy' and coalesce(o.key, a.key, d.key) is not null;
