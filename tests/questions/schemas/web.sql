-- What a web site notes about its visitors: booleans, timestamps with a time zone, and NULLs.
create schema web;

create table web.visitors (
    visitor_id integer primary key,
    first_seen timestamptz not null,
    country text,
    device text not null,
    subscribed boolean not null,
    referrer text
);
create table web.page_views (
    page_view_id bigint primary key,
    visitor_id integer not null references web.visitors,
    path text not null,
    viewed_at timestamptz not null,
    duration_seconds double precision,
    is_bot boolean not null
);
create table web.errors (
    error_id integer primary key,
    page_view_id bigint references web.page_views,
    code integer not null,
    message text not null,
    resolved boolean,
    occurred_at timestamptz not null
);

insert into web.visitors
select n, (pg_temp.day(n, 'seen') + make_interval(mins => pg_temp.dice(n, 'minute', 1440)))::timestamptz,
    nullif(pg_temp.pick(n, 'country', array['Norway', 'Kenya', 'Chile', 'Vietnam', 'Ireland', '-']), '-'),
    pg_temp.pick(n, 'device', array['mobile', 'desktop', 'tablet']), pg_temp.dice(n, 'subscribed', 10) < 3,
    nullif(pg_temp.pick(n, 'referrer', array['search', '-', 'newsletter', 'social']), '-')
from generate_series(1, 220) n;

insert into web.page_views
select n, 1 + pg_temp.dice(n, 'visitor', 220),
    pg_temp.pick(n, 'path', array['/home', '/pricing', '/docs', '/blog', '/jobs', '/imprint']),
    (pg_temp.day(n, 'viewed') + make_interval(secs => pg_temp.dice(n, 'second', 86400)))::timestamptz,
    case when pg_temp.dice(n, 'left', 8) > 0 then (2 + pg_temp.dice(n, 'duration', 9000)) / 16.0 end,
    pg_temp.dice(n, 'bot', 11) = 0
from generate_series(1, 1500) n;

insert into web.errors
select n, case when pg_temp.dice(n, 'known', 6) > 0 then 1 + pg_temp.dice(n, 'view', 1500) end,
    (array[404, 500, 403, 503])[1 + floor(4 * (pg_temp.dice(n, 'code', 1000) / 1000.0) ^ 2)],
    pg_temp.pick(n, 'message', array['page is missing', 'time ran out', 'not signed in', 'out of memory']),
    (array[true, false, null])[1 + pg_temp.dice(n, 'resolved', 3)],
    (pg_temp.day(n, 'occurred') + make_interval(secs => pg_temp.dice(n, 'at', 86400)))::timestamptz
from generate_series(1, 180) n;
