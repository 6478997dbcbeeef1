-- What a source's records mean may depend on the version of the system behind it: another one is read from the beginning.
alter table ops.import add column speaks text;
comment on column ops.import.speaks is
    'The version that the source said to be, as far as records mean something else in another one; null where that is not so.';
