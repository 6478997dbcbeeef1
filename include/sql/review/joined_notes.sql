-- Purpose: what only the set of rows shows: one output in several rows, the same row again, and an output with two values
--   of a scheme that has one value (both are kept; attention is asked for by the other schemes first).
-- Parameters: import_id.
-- Row count: notes written down.
with rows_of as (
    select r.key, o.record, o.place, o.content from published_record r join output o using (record)
), claims as (
    select r.key, i.scheme, i.value, r.place, r.record
    from rows_of r join output_identifier i using (record)
    where not i.derived and i.scheme in ('doi', 'pmid', 'arxiv', 'ads', 'nct_id')
)
insert into ops.record_note (import_id, entity, key, place, code, severity, field, value, message)
select %(import_id)s, 'output', key, string_agg(place, ', ' order by record), 'output_in_several_rows', 'info', null, null,
    'these rows share identifiers and are one output'
from rows_of group by key having count(*) > 1
union all
select %(import_id)s, 'output', key, string_agg(distinct place, ', '), 'identifier_conflict', 'warning', scheme,
    string_agg(distinct value, ', '),
    'one output has several values where a work has one: all are kept, and attention is asked for by the other identifiers'
from claims group by key, scheme having count(distinct value) > 1
