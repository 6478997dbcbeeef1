-- Purpose: drops what is known of the attention of an institution's outputs; what others look up with the same account stays.
-- Parameters: institution.
-- Row count: tracked outputs.
with mine as (
    delete from attention.subscription where institution = %(institution)s returning account
), theirs as (
    select k.scheme, k.value from attention.askable k join attention.subscription s on s.institution = k.institution
    where s.account in (select account from mine) and s.institution <> %(institution)s
), links as (
    delete from attention.link where institution = %(institution)s
), sums as (
    delete from attention.rollup where institution = %(institution)s
), sources as (
    delete from attention.rollup_source where institution = %(institution)s
), top as (
    delete from attention.rollup_top where institution = %(institution)s
), pages as (
    delete from attention.landing_page where institution = %(institution)s
), asked as (
    delete from attention.asked a where a.account in (select account from mine)
        and not exists (select from theirs t where t.scheme = a.scheme and t.value = a.value)
)
delete from attention.tracked_output o
where o.account in (select account from mine) and not exists (
    select from attention.tracked_identifier i join theirs t on t.scheme = i.scheme and t.value = i.value
    where i.account = o.account and i.tracked = o.tracked)
