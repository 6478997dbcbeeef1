-- Purpose: adds what should hang on things that were added or updated and does not yet.
-- Parameters: entity, institution. Identifiers: published, desired, owner, columns, values; same, as in remove_links.
-- Row count: rows added.
insert into {published} ({columns})
select {values} from {desired} n join delta d on d.entity = %(entity)s and d.action in ('add', 'update') and d.key = n.{owner}
where d.action = 'add' or not exists (
    select from {published} t where t.institution = %(institution)s and t.{owner} = n.{owner} and {same})
order by n.{owner}
