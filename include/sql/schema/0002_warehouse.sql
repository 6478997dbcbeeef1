-- What is published. Every key begins with the institution: it is the partition here, and can be the distribution key
-- of a distributed Postgres. Each institution has leaves of its own, so that one import neither reads nor locks another.

create table warehouse.department (
    institution text collate "C" not null,
    key text collate "C" not null check (key <> ''),
    name text not null check (name <> ''),
    fingerprint uuid not null,
    changed_by bigint not null,
    primary key (institution, key)
) partition by list (institution);

create table warehouse.department_parent (
    institution text collate "C" not null,
    department_key text collate "C" not null,
    parent_key text collate "C" not null check (parent_key <> department_key),
    primary key (institution, department_key, parent_key)
) partition by list (institution);

create table warehouse.author (
    institution text collate "C" not null,
    key text collate "C" not null check (key <> ''),
    name text not null check (name <> '' and position('@' in name) = 0),
    ids jsonb not null default '{}' check (jsonb_typeof(ids) = 'object'),
    fingerprint uuid not null,
    changed_by bigint not null,
    primary key (institution, key)
) partition by list (institution);

create table warehouse.author_department (
    institution text collate "C" not null,
    author_key text collate "C" not null,
    department_key text collate "C" not null,
    primary key (institution, author_key, department_key)
) partition by list (institution);

create table warehouse.research_output (
    institution text collate "C" not null,
    key text collate "C" not null check (key <> ''),
    title text,
    type text,
    year integer check (year between 1000 and 2200),
    venue text,
    groups text[] collate "C" not null default '{}',
    fingerprint uuid not null,
    added_by bigint not null,
    changed_by bigint not null,
    primary key (institution, key)
) partition by list (institution);
comment on column warehouse.research_output.groups is
    'Departments as the source names them, known or not: links are made anew from these when only departments change.';

create table warehouse.output_identifier (
    institution text collate "C" not null,
    output_key text collate "C" not null,
    scheme text collate "C" not null check (
        scheme in ('doi', 'pmid', 'arxiv', 'ads', 'nct_id', 'repec', 'handle', 'urn', 'isbn', 'uri')
    ),
    value text collate "C" not null check (value <> ''),
    derived boolean not null default false,
    primary key (institution, output_key, scheme, value)
) partition by list (institution);
create index on warehouse.output_identifier (institution, scheme, value);

create table warehouse.authorship (
    institution text collate "C" not null,
    output_key text collate "C" not null,
    author_key text collate "C" not null,
    position integer not null,
    name text not null,
    ids jsonb not null default '{}',
    relation text collate "C",
    primary key (institution, output_key, author_key)
) partition by list (institution);
create index on warehouse.authorship (institution, author_key);
comment on column warehouse.authorship.name is 'The name as credited on this output.';
comment on column warehouse.authorship.relation is 'The source''s id of this authorship, where it has one.';

create table warehouse.authorship_department (
    institution text collate "C" not null,
    output_key text collate "C" not null,
    author_key text collate "C" not null,
    department_key text collate "C" not null,
    primary key (institution, output_key, author_key, department_key)
) partition by list (institution);
create index on warehouse.authorship_department (institution, department_key);
comment on table warehouse.authorship_department is
    'The departments from which an author wrote an output: an author may write one from here and another from there.';

create table warehouse.output_department (
    institution text collate "C" not null,
    output_key text collate "C" not null,
    department_key text collate "C" not null,
    primary key (institution, output_key, department_key)
) partition by list (institution);
create index on warehouse.output_department (institution, department_key);

-- A first load fills leaves that stand alone, without keys, and attaches them last: several times faster than inserting
-- into keyed partitions, and invisible to readers until it commits.
create function warehouse.open_leaves(slug text) returns void language plpgsql as $$
declare
    parent text;
begin
    for parent in select c.relname from pg_class c where c.relnamespace = 'warehouse'::regnamespace and c.relkind = 'p' loop
        execute format('create table warehouse.%I (like warehouse.%I including defaults including constraints)',
                       parent || '__' || slug, parent);
    end loop;
end $$;

create function warehouse.close_leaves(slug text) returns void language plpgsql as $$
declare
    parent text;
    link record;
begin
    for parent in select c.relname from pg_class c where c.relnamespace = 'warehouse'::regnamespace and c.relkind = 'p' loop
        execute format('alter table warehouse.%I add check (institution = %L)', parent || '__' || slug, slug);
        execute format('alter table warehouse.%I attach partition warehouse.%I for values in (%L)',
                       parent, parent || '__' || slug, slug);
    end loop;
    for link in select * from (values
        ('department_parent', 'department_key', 'department'), ('department_parent', 'parent_key', 'department'),
        ('author_department', 'author_key', 'author'), ('author_department', 'department_key', 'department'),
        ('output_identifier', 'output_key', 'research_output'),
        ('authorship', 'output_key', 'research_output'), ('authorship', 'author_key', 'author'),
        ('authorship_department', 'output_key, author_key', 'authorship'),
        ('authorship_department', 'department_key', 'department'),
        ('output_department', 'output_key', 'research_output'), ('output_department', 'department_key', 'department')
    ) as t (child, columns, parent) loop
        execute format('alter table warehouse.%I add foreign key (institution, %s) references warehouse.%I',
                       link.child || '__' || slug, link.columns, link.parent || '__' || slug);
    end loop;
    -- Without statistics the next, small import would be planned as if these were empty.
    for parent in select c.relname from pg_class c where c.relnamespace = 'warehouse'::regnamespace and c.relkind = 'p' loop
        execute format('analyze warehouse.%I', parent || '__' || slug);
    end loop;
end $$;

create function warehouse.has_leaves(slug text) returns boolean language sql stable as $$
    select to_regclass(format('warehouse.%I', 'research_output__' || slug)) is not null
$$;

-- A thing as it is published, whole: what the history keeps of it, and what a rollback publishes again.
create function warehouse.output_document(slug text, output text) returns jsonb language sql stable as $$
    select jsonb_build_object(
        'key', o.key, 'title', o.title, 'type', o.type, 'year', o.year, 'venue', o.venue, 'groups', o.groups,
        'fingerprint', o.fingerprint,
        'identifiers', coalesce((
            select jsonb_agg(jsonb_build_object('scheme', i.scheme, 'value', i.value, 'derived', i.derived)
                order by i.scheme, i.value)
            from warehouse.output_identifier i where i.institution = slug and i.output_key = output), '[]'),
        'authorships', coalesce((
            select jsonb_agg(jsonb_build_object(
                'author_key', a.author_key, 'position', a.position, 'name', a.name, 'ids', a.ids, 'relation', a.relation,
                'departments', coalesce((
                    select jsonb_agg(d.department_key order by d.department_key) from warehouse.authorship_department d
                    where d.institution = slug and d.output_key = output and d.author_key = a.author_key), '[]'))
                order by a.position, a.author_key)
            from warehouse.authorship a where a.institution = slug and a.output_key = output), '[]'),
        'departments', coalesce((
            select jsonb_agg(d.department_key order by d.department_key)
            from warehouse.output_department d where d.institution = slug and d.output_key = output), '[]'))
    from warehouse.research_output o where o.institution = slug and o.key = output
$$;

create function warehouse.author_document(slug text, author text) returns jsonb language sql stable as $$
    select jsonb_build_object('key', a.key, 'name', a.name, 'ids', a.ids, 'fingerprint', a.fingerprint, 'departments', coalesce((
        select jsonb_agg(d.department_key order by d.department_key)
        from warehouse.author_department d where d.institution = slug and d.author_key = author), '[]'))
    from warehouse.author a where a.institution = slug and a.key = author
$$;

create function warehouse.department_document(slug text, department text) returns jsonb language sql stable as $$
    select jsonb_build_object('key', d.key, 'name', d.name, 'fingerprint', d.fingerprint, 'parents', coalesce((
        select jsonb_agg(p.parent_key order by p.parent_key)
        from warehouse.department_parent p where p.institution = slug and p.department_key = department), '[]'))
    from warehouse.department d where d.institution = slug and d.key = department
$$;
