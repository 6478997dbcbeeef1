-- Purpose: keys and statistics of what should be published (several statements, no parameters).
create index if not exists desired_department_key on desired_department (key);
create index if not exists desired_department_parent_key on desired_department_parent (department_key);
create index if not exists desired_author_key on desired_author (key);
create index if not exists desired_author_department_key on desired_author_department (author_key);
create index if not exists desired_output_key on desired_output (key);
create index if not exists desired_output_identifier_key on desired_output_identifier (output_key);
create index if not exists desired_output_identifier_value on desired_output_identifier (scheme, value);
create index if not exists desired_authorship_key on desired_authorship (output_key);
create index if not exists desired_authorship_department_key on desired_authorship_department (output_key);
create index if not exists desired_output_department_key on desired_output_department (output_key);
analyze scope; analyze desired_department; analyze desired_department_parent; analyze desired_author;
analyze desired_author_department; analyze desired_output; analyze desired_output_identifier;
analyze desired_authorship; analyze desired_authorship_department; analyze desired_output_department;
