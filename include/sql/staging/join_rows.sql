-- Purpose: makes outputs of rows (spreadsheets): which sound record belongs to which output, in any order of the rows the same.
--   First, rows with the same best identifier are one. Then, scheme by scheme in the order of trust: a value that touches
--   two groups which both have the same earlier scheme joins nobody; what remains connected is judged as a whole, and a
--   set that contains two groups with one earlier scheme stays apart. An ISBN joins only rows that have nothing else:
--   a book's ISBN does not speak for its chapters. The key is the best stated identifier of the group.
-- Parameters: none (a block); leaves its result in output_record.
do $$
declare
    schemes constant text[] := array['doi', 'pmid', 'arxiv', 'ads', 'nct_id', 'repec', 'handle', 'urn', 'isbn', 'uri'];
    isbn constant integer := array_position(schemes, 'isbn');
    trust integer;
    moved bigint;
begin
    create temp table claim_of_row on commit drop as
        select i.record, array_position(schemes, i.scheme) as rank, i.value, i.derived
        from output_identifier i
        where not exists (select from verdict v where v.entity = 'output' and v.record = i.record);

    create temp table group_of_row on commit drop as
        select record, min(record) over (partition by rank, value) as grp
        from (
            select distinct on (record) record, rank, value from claim_of_row order by record, derived, rank, value collate "C"
        ) best;
    create index on group_of_row (grp);
    analyze group_of_row;

    create temp table claim on commit drop as
        select distinct g.grp, c.rank, c.value from claim_of_row c join group_of_row g using (record);
    create index on claim (rank, value);
    analyze claim;

    for trust in 1 .. array_length(schemes, 1) loop
        create temp table touch on commit drop as
            with touching as (
                select distinct c.value, c.grp from claim c
                where c.rank = trust
                    and (trust <> isbn or not exists (select from claim o where o.grp = c.grp and o.rank <> isbn))
            ),
            shared as (
                select value, grp from (select value, grp, count(*) over (partition by value) as groups from touching) t
                where groups > 1
            ),
            barred as (
                select s.value
                from shared s join (select distinct grp, rank from claim where rank < trust) earlier using (grp)
                group by s.value, earlier.rank having count(*) > 1
            )
            select value, grp from shared where value not in (select value from barred);

        create temp table label on commit drop as select distinct grp, grp as label from touch;
        loop
            -- Each group takes the least label that it can see, then the label of that label: few rounds even for chains.
            update label l set label = low.label
            from (
                select t.grp, min(v.label) as label
                from touch t join (
                    select t.value, min(l.label) as label from touch t join label l using (grp) group by t.value
                ) v using (value)
                group by t.grp
            ) low
            where low.grp = l.grp and low.label < l.label;
            get diagnostics moved = row_count;
            exit when moved = 0;
            update label l set label = next.label from label next where next.grp = l.label and next.label < l.label;
        end loop;

        delete from label where label in (
            select l.label
            from label l join (select distinct grp, rank from claim where rank < trust) earlier using (grp)
            group by l.label, earlier.rank having count(*) > 1
        );
        update group_of_row g set grp = l.label from label l where l.grp = g.grp and l.label <> l.grp;
        update claim c set grp = l.label from label l where l.grp = c.grp and l.label <> l.grp;
        drop table touch, label;
    end loop;

    insert into output_record (record, key)
    select g.record, best.key
    from group_of_row g join (
        select distinct on (g.grp) g.grp, schemes[c.rank] || ':' || c.value as key
        from claim_of_row c join group_of_row g using (record)
        order by g.grp, c.derived, c.rank, c.value collate "C"
    ) best using (grp);
end $$
