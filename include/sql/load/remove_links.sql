-- Purpose: removes what hung on things that are removed or updated and should hang there no longer.
-- Parameters: entity, institution. Identifiers: published and desired, the table and its counterpart in staging; owner, the column that
--   names the thing; same, the comparison of the columns of its key.
-- Row count: rows removed.
delete from {published} t
using delta d
where t.institution = %(institution)s and d.entity = %(entity)s and d.action in ('update', 'remove') and d.key = t.{owner}
    and (d.action = 'remove' or not exists (select from {desired} n where n.{owner} = t.{owner} and {same}))
