-- A gallery: years as numbers, of people and of things, and customers who may not have bought anything yet.
create schema gallery;

create table gallery.artists (
    artist_id integer primary key,
    name text not null,
    country text not null,
    birth_year integer not null,
    death_year integer
);
create table gallery.works (
    work_id integer primary key,
    artist_id integer not null references gallery.artists,
    title text not null,
    medium text not null,
    year integer not null,
    asking_price numeric(10, 2) not null
);
create table gallery.customers (
    customer_id integer primary key,
    name text not null,
    city text not null
);
create table gallery.orders (
    order_id integer primary key,
    customer_id integer not null references gallery.customers,
    work_id integer not null references gallery.works,
    ordered_on date not null,
    amount numeric(10, 2) not null
);

insert into gallery.artists
select n, pg_temp.person(n * 13), pg_temp.pick(n, 'country', array['Spain', 'Mexico', 'Japan', 'Ghana']), born,
    case when born < 1940 then born + 45 + pg_temp.dice(n, 'died', 40) end
from generate_series(1, 24) n cross join lateral (select 1900 + n * 4 + pg_temp.dice(n, 'born', 4) as born) b;

insert into gallery.works
select n, a, pg_temp.pick(n, 'adjective', array['Blue', 'Broken', 'Quiet', 'Late', 'Open', 'Salt'])
    || ' ' || pg_temp.pick(n, 'noun', array['Window', 'Harvest', 'Field', 'Letter', 'Garden']) || ' ' || n,
    pg_temp.pick(n, 'medium', array['oil', 'print', 'bronze', 'photograph']), 1930 + a * 2 + pg_temp.dice(n, 'year', 40),
    300 + n * 7 + pg_temp.dice(n, 'price', 800) * 10
from generate_series(1, 160) n cross join lateral (select 1 + pg_temp.dice(n, 'artist', 24) as a) drawn;

insert into gallery.customers
select n, pg_temp.person(n * 17), pg_temp.pick(n, 'city', array['Bilbao', 'Kumasi', 'Puebla', 'Osaka'])
from generate_series(1, 40) n;

insert into gallery.orders
select n, 1 + pg_temp.dice(n, 'customer', 33), 1 + pg_temp.dice(n, 'work', 120), pg_temp.day(n, 'ordered'),
    250 + pg_temp.dice(n, 'amount', 900) * 10
from generate_series(1, 210) n;
