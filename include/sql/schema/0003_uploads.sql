-- Sets of files that institutions send: each is the whole of what they publish, and replaces the one before.

create table ops.upload (
    id bigint generated always as identity primary key,
    institution text collate "C" not null references ops.institution deferrable initially deferred,
    uploaded_at timestamptz not null default now(),
    uploaded_by text not null,
    origin text not null check (origin in ('sent', 'watched', 'again')),
    again_of bigint references ops.upload,
    trial boolean not null default false,
    publications_name text not null,
    publications_digest text not null,
    publications_bytes bigint not null,
    publications bytea,
    hierarchy_name text,
    hierarchy_digest text,
    hierarchy_bytes bigint,
    hierarchy bytea,
    report jsonb not null,
    check ((origin = 'again') = (again_of is not null)),
    check ((hierarchy_name is null) = (hierarchy_digest is null) and (hierarchy is null or hierarchy_name is not null))
);
create index upload_latest on ops.upload (institution, id desc);
comment on table ops.upload is
    'Sets of files as they were sent. Privacy: the content of a file may hold e-mail addresses and other data about persons '
    'that is published nowhere, so it is kept only as long as it is of use: of the last four published sets, of the set '
    'that the next import reads, and of one that an import is reading. Of older sets it is emptied; who, when, digests and '
    'report stay, and no e-mail address ever stands in a report.';
comment on column ops.upload.trial is 'Sent with a dry run: no other import reads it.';
comment on column ops.upload.publications_digest is 'SHA-256 of the content, in hex.';
comment on column ops.upload.report is
    'Counts, how the file was read, and the first entries; only "refused" with a sentence where it could not be read.';

alter table ops.import add column upload bigint references ops.upload;
create index import_of_upload on ops.import (upload) where upload is not null;
comment on column ops.import.upload is 'The set of files that this import reads, the same for all of its tasks.';
