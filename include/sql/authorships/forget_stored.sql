-- Purpose: where a source lists authorships, takes back what the filter staged of published outputs and joined to outputs, so
--   that it can run again.
-- Parameters: first, the number of the first output that was staged from what is published.
-- Row count: those outputs.
with identifiers as (
    delete from output_identifier where record >= %(first)s
), records as (
    delete from output_record where record >= %(first)s
), numbered as (
    delete from authorship
), contributions as (
    delete from contribution where exists (select from relationship)
), places as (
    update output set groups = '{}'
    where groups <> '{}' and record < %(first)s and exists (select from relationship where departments is null)
)
delete from output where record >= %(first)s
