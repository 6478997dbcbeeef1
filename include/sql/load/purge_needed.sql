-- Purpose: whether anything that is published turned private.
-- Identifiers: the institution's tables, by the names of their parents.
-- Row count: 1.
select exists (select from delta where action = 'remove' and reason = 'privacy')
    or exists (
        select from hidden_authorship h join {authorship} a on a.output_key = h.output and a.author_key = h.author)
