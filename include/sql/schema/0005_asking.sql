-- What all workers share that ask one and the same source: whose turn it is, and the last sound version of its files.

create unlogged table ops.turn (
    host text collate "C" primary key,
    at timestamptz not null
);
comment on table ops.turn is 'When each host was, or will be, asked last: requests of all workers keep their distance.';

create table ops.kept_file (
    institution text collate "C" not null,
    name text collate "C" not null,
    content bytea not null,
    read_at timestamptz not null default now(),
    problem text,
    primary key (institution, name)
);
comment on table ops.kept_file is 'The last sound version of each file that an institution keeps for us (departments, remappings, names).';
comment on column ops.kept_file.problem is 'Why the file as it is now cannot be used, where it cannot: then this older version is.';
