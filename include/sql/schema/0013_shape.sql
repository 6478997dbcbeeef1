-- Sums of attention need not be made anew where nothing is tracked and nothing came, went or moved.
alter table ops.institution add column shape bigint not null default 0;
comment on column ops.institution.shape is
    'Counts the imports that added or removed a row of what is published, or of what hangs on it; one that changed rows in place does not count.';
alter table attention.subscription add column shape bigint;
comment on column attention.subscription.shape is
    'The shape of what is published that the sums were made of; null where something was tracked, so that they change from day to day.';
