-- What an incremental import need not fetch again: outputs that a list names with somebody who is shown, but that are not
-- published for what their full record says (no identifier, a rule broken, nobody but hidden associations).
create table ops.left_out (
    institution text collate "C" not null references ops.institution,
    output_key text collate "C" not null,
    digest uuid not null,
    primary key (institution, output_key)
);
comment on table ops.left_out is
    'Outputs that were read and are not published, though a list names somebody with them who is shown; none that privacy dropped.';
comment on column ops.left_out.digest is 'Of the keys of those who are shown: with others, the output is read again.';
