-- Wind farms: adjectives that are values, and machines that only a key tells apart.
create schema wind;

create table wind.sites (
    site_id integer primary key,
    site_name text not null,
    region text not null
);
create table wind.turbines (
    turbine_id integer primary key,
    model text not null,
    site_id integer not null references wind.sites
);
create table wind.production (
    production_id integer primary key,
    turbine_id integer not null references wind.turbines,
    produced_on date not null,
    mwh numeric(8, 2) not null
);
create table wind.work_orders (
    work_order_id integer primary key,
    turbine_id integer not null references wind.turbines,
    priority text not null,
    due_on date not null,
    cost numeric(8, 2) not null
);
create table wind.visits (
    visit_id integer primary key,
    site_id integer not null references wind.sites,
    kind text not null,
    visited_on date not null
);

insert into wind.sites
select n, 'Ridge ' || n, (array['North', 'South', 'East'])[1 + n % 3] from generate_series(1, 12) n;

insert into wind.turbines
select n, pg_temp.pick(n, 'model', array['V112', 'V90', 'E82']), 1 + pg_temp.dice(n, 'site', 12)
from generate_series(1, 40) n;

insert into wind.production
select n, 1 + pg_temp.dice(n, 'turbine', 40), pg_temp.day(n, 'produced'), pg_temp.dice(n, 'mwh', 9000) * 0.01
from generate_series(1, 900) n;

insert into wind.work_orders
select n, 1 + pg_temp.dice(n, 'turbine', 40), pg_temp.pick(n, 'priority', array['low', 'medium', 'high']),
    pg_temp.day(n, 'due'), 100 + pg_temp.dice(n, 'cost', 5000) * 0.5
from generate_series(1, 600) n;

insert into wind.visits
select n, 1 + pg_temp.dice(n, 'site', 12), pg_temp.pick(n, 'kind', array['support', 'audit']), pg_temp.day(n, 'visited')
from generate_series(1, 200) n;
