-- The identifiers of each output in the order in which they are asked: by trust; where an output has several values of a
-- scheme of which a work has one, these come last. arXiv IDs without version. An ISBN speaks for a book, never for what stands in
-- one: a chapter, a paper in proceedings, an article in a collection.
create or replace view attention.askable as
select i.institution, i.output_key, i.scheme, i.value,
    min(array_position(array['doi', 'pmid', 'arxiv', 'ads', 'nct_id', 'repec', 'handle', 'urn', 'isbn', 'uri'], i.scheme::text)
        + case when i.several > 1 then 100 when i.derived then 50 else 0 end) as rank
from (
    select institution, output_key, scheme, derived,
        case when scheme = 'arxiv' then regexp_replace(value, 'v[0-9]+$', '') else value end collate "C" as value,
        case when scheme in ('doi', 'pmid', 'arxiv', 'ads', 'nct_id')
            then count(*) filter (where not derived) over (partition by institution, output_key, scheme) end as several
    from warehouse.output_identifier
) i join warehouse.research_output o on o.institution = i.institution and o.key = i.output_key
where i.scheme <> 'isbn' or o.type is null or o.type !~* concat_ws('|', 'chapter', 'kapitel', 'article',
    'book[ _-]*(section|item|part)', '(part|section)[ _](of|in)[ _](a[ _])?book', 'contribution[ _]*to[ _]*book', 'entry',
    'in(book|collection|proceedings)$', 'conference[ _]*(or workshop )?(paper|object|item|contribution|abstract|poster)')
group by i.institution, i.output_key, i.scheme, i.value;
