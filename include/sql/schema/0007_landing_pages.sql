-- The check of landing pages: what the pages say of outputs that have only a Handle or URI.

create table attention.landing_page (
    institution text collate "C" not null references ops.institution on delete cascade,
    output_key text collate "C" not null,
    scheme text collate "C" not null check (scheme in ('handle', 'uri')),
    value text collate "C" not null,
    address text not null,
    final_address text not null,
    state text not null check (state in (
        'trackable', 'incomplete', 'contradicts', 'not_html', 'robots', 'missing', 'unreachable')),
    reason text,
    identifiers text[] collate "C" not null default '{}',
    missing text[] not null default '{}',
    asked_at timestamptz not null,
    due_at timestamptz not null check (due_at > asked_at),
    primary key (institution, output_key),
    check ((state = 'trackable') = (reason is null))
);
comment on table attention.landing_page is
    'For outputs that have only a Handle or URI: whether mentions of their landing page can be counted for them, by its meta tags.';
comment on column attention.landing_page.final_address is 'Where redirects led to.';
comment on column attention.landing_page.identifiers is 'scheme:value of what its tags name.';
comment on column attention.landing_page.missing is 'Which of identifier, title, author, date no tag of the page names.';

-- The outputs that the check is about, each with the address that is asked for: its URI, else its Handle.
create view attention.landing_candidate as
select institution, output_key,
    (array_agg(scheme order by scheme desc, value))[1] as scheme,
    (array_agg(value order by scheme desc, value))[1] as value,
    jsonb_agg(jsonb_build_array(scheme, value) order by scheme, value) as identifiers
from warehouse.output_identifier
group by institution, output_key
having bool_and(scheme in ('handle', 'uri'));

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
