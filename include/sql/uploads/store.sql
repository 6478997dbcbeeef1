-- Purpose: stores a set of files; without groups of its own, the groups of the set before go along.
-- Parameters: institution; by; origin; trial; publications_name, publications_digest, publications; hierarchy_name,
--   hierarchy_digest, hierarchy (null: none sent); before, the set whose groups go along (or null); report.
-- Row count: one, with its number.
insert into ops.upload (
    institution, uploaded_by, origin, trial, publications_name, publications_digest, publications_bytes, publications,
    hierarchy_name, hierarchy_digest, hierarchy_bytes, hierarchy, report
)
select %(institution)s, %(by)s, %(origin)s, %(trial)s, %(publications_name)s, %(publications_digest)s,
    length(sent.publications), sent.publications,
    coalesce(%(hierarchy_name)s, before.hierarchy_name), coalesce(%(hierarchy_digest)s, before.hierarchy_digest),
    coalesce(length(sent.hierarchy), before.hierarchy_bytes), coalesce(sent.hierarchy, before.hierarchy), %(report)s
from (select %(publications)s::bytea as publications, %(hierarchy)s::bytea as hierarchy) sent
left join ops.upload before on before.id = %(before)s and before.institution = %(institution)s
returning id
