-- Purpose: forgets mentions that the provider does not list any more.
-- Parameters: account.
-- Row count: mentions.
with listed as materialized (  -- of these alone the mentions are looked at, whatever statistics say of all of them
    select t.account, t.tracked, r.posts
    from record r join attention.tracked_output t on t.account = %(account)s and t.altmetric_id = r.altmetric_id
    where r.posts is not null
), gone as materialized (
    select l.account, l.tracked, m.source, m.mention
    from listed l cross join lateral (
        select * from attention.mention m where m.account = l.account and m.tracked = l.tracked offset 0
    ) m
    except
    select l.account, l.tracked, s.source, s.mention
    from listed l cross join jsonb_to_recordset(l.posts) as s (source text collate "C", mention text collate "C")
)
delete from attention.mention m using gone g
where m.account = g.account and m.tracked = g.tracked and m.source = g.source and m.mention = g.mention
