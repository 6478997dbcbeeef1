-- Purpose: the tracked outputs that an institution's outputs are, each once, with how many of them it is.
-- Parameters: institution.
-- Row count: tracked outputs.
insert into mine (account, tracked, outputs)
select account, tracked, count(*) from attention.link
where institution = %(institution)s and tracked is not null group by account, tracked
