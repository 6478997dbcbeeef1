-- The sums of an institution are written together, in one transaction, and forgotten together: a check of each row of them
-- costs as much as the summing up.

alter table attention.rollup_source drop constraint rollup_source_institution_kind_key_fkey;
alter table attention.rollup_top drop constraint rollup_top_institution_kind_key_fkey;
