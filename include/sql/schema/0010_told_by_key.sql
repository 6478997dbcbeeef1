-- What is told of a record is found by its key, when it has to be forgotten.
create index rejected_record_of_key on ops.rejected_record (key, entity);
create index record_note_of_key on ops.record_note (key, entity);
