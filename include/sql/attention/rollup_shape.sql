-- Purpose: notes of which shape of what is published the sums were made.
-- Parameters: institution, shape.
-- Row count: 1; 0 where nobody ever asked for this institution's attention.
update attention.subscription set shape = case when not exists (
    select from attention.link l where l.institution = %(institution)s and l.tracked is not null) then %(shape)s::bigint end
where institution = %(institution)s
