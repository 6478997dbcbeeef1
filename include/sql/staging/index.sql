-- Purpose: indexes and statistics for everything that follows extraction (several statements, no parameters).
create index if not exists output_by_record on output (record);
create index if not exists output_by_key on output (key);
create index if not exists output_identifier_by_record on output_identifier (record);
create index if not exists contribution_by_record on contribution (record);
create index if not exists author_by_key on author (key);
create index if not exists author_by_record on author (record);
create index if not exists department_by_key on department (key);
create index if not exists refusal_by_record on refusal (record);
create index if not exists relationship_by_output on relationship (output);
create index if not exists listed_by_key on listed (key);
analyze relationship; analyze listed; analyze output; analyze output_identifier; analyze contribution; analyze author;
analyze department; analyze refusal; analyze note;
