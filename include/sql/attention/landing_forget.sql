-- Purpose: forgets the landing pages of outputs that the check is not about any more, or that have another one now.
-- Parameters: institution.
-- Row count: landing pages.
delete from attention.landing_page p
where p.institution = %(institution)s and not exists (
    select from attention.landing_candidate c
    where c.institution = %(institution)s and c.output_key = p.output_key and c.scheme = p.scheme and c.value = p.value)
