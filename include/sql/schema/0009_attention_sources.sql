-- The sources of attention as people see them. One that is not listed here is kept as the provider names it, and shown as other.

create table attention.source (
    source text collate "C" primary key,
    place integer not null unique,
    label text not null,
    counted text not null,
    ended boolean not null default false,
    colour text check (colour ~ '^#[0-9A-F]{6}$'),
    outlined boolean not null default false,
    letter text
);
comment on column attention.source.place is 'The order in which sources are shown.';
comment on column attention.source.counted is 'What is counted once each.';
comment on column attention.source.ended is 'Not tracked any more: no trend runs across its end.';
comment on column attention.source.colour is 'The provider''s colour; never the only sign.';
comment on column attention.source.outlined is 'The colour is too light to stand without an outline.';
comment on column attention.source.letter is 'Its letter in the address of a badge.';

insert into attention.source (place, source, label, counted, ended, colour, outlined, letter) values
    (1, 'news', 'News', 'outlets', false, '#B60000', false, 'm'),
    (2, 'blogs', 'Blogs', 'blogs', false, '#E89500', false, 'b'),
    (3, 'policy', 'Policy', 'sources', false, '#5B17E8', false, 'd'),
    (4, 'patents', 'Patents', 'sources', false, '#D45029', false, null),
    (5, 'guidelines', 'Clinical guidelines', 'sources', false, '#15BABC', false, null),
    (6, 'wikipedia', 'Wikipedia', 'pages', false, '#3B2A3D', false, 'w'),
    (7, 'x', 'X (Twitter)', 'accounts', false, '#2F90B9', false, 't'),
    (8, 'bluesky', 'Bluesky', 'accounts', false, '#1185FE', false, null),
    (9, 'facebook', 'Facebook', 'pages', false, '#0B2CA4', false, 'f'),
    (10, 'reddit', 'Reddit', 'Redditors', false, '#B9DDEB', true, 'r'),
    (11, 'video', 'Video', 'channels', false, '#98C973', false, 'v'),
    (12, 'qna', 'Q&A', 'threads', false, '#EFEFEF', true, null),
    (13, 'peer_review', 'Peer review', 'sites', false, null, false, null),
    (14, 'f1000', 'F1000', 'reviews', false, null, false, null),
    (15, 'syllabi', 'Syllabi', 'syllabi', false, null, false, null),
    (16, 'podcasts', 'Podcasts', 'podcasts', false, null, false, null),
    (17, 'google_plus', 'Google+', 'accounts', true, '#912470', false, 'g'),
    (18, 'linkedin', 'LinkedIn', 'accounts', true, null, false, null),
    (19, 'pinterest', 'Pinterest', 'accounts', true, null, false, null),
    (20, 'weibo', 'Weibo', 'accounts', true, null, false, null);

create view attention.rollup_shown as
select r.institution, r.kind, r.key, r.source, coalesce(s.label, 'Other') as label, coalesce(s.ended, false) as ended,
    coalesce(s.place, 1000) as place, s.colour, coalesce(s.outlined, true) as outlined, r.accounts, r.tracked
from attention.rollup_source r left join attention.source s using (source);
comment on view attention.rollup_shown is 'Sums by source as they are shown: with labels, unknown sources as other, ended ones marked.';
