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
