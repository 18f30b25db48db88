-- A coach company: keys that may be empty, tables called logs and records, ages, and a view of some of the rows.
create schema tours;

-- Drivers may have no hub, and so their trips have none.
create table tours.hubs (hub_id integer primary key, hub_name text not null);
create table tours.drivers (
    driver_id integer primary key,
    driver_name text not null,
    hub_id integer references tours.hubs
);
create table tours.trips (
    trip_id integer primary key,
    driver_id integer not null references tours.drivers,
    toll numeric(6, 2) not null
);

insert into tours.hubs values (1, 'East Hub'), (2, 'West Hub');

insert into tours.drivers
select n, 'Driver ' || n, case when n % 3 > 0 then 1 + n % 2 end from generate_series(1, 9) n;

insert into tours.trips select n, 1 + n % 9, n from generate_series(1, 45) n;

create table tours.crews (crew_id integer primary key, crew_name text not null, founded date not null);
create table tours.singers (
    singer_id integer primary key,
    crew_id integer references tours.crews,
    full_name text not null,
    age integer not null,
    glove_size integer not null,
    joined date not null,
    chief_id integer references tours.singers
);
create table tours.passes (pass_code text primary key, label text not null, monthly_fee numeric(6, 2) not null);
create table tours.holders (
    holder_id integer primary key,
    pass_code text not null references tours.passes,
    town text,
    stars integer not null,
    merits integer not null
);
create table tours.ride_records (
    ride_id integer primary key,
    holder_id integer not null references tours.holders,
    ride_type text not null,
    cut_short boolean not null,
    cost numeric(6, 2) not null,
    fine numeric(6, 2)
);
create view tours.star_holders as select * from tours.holders where stars > 3;

insert into tours.crews select n, 'Crew ' || n, date '1900-01-01' + n * 900 from generate_series(1, 4) n;

insert into tours.singers
select n, 1 + n % 4, 'Singer ' || n, 18 + n * 7 % 53, 6 + n % 5, date '2020-03-01' + n * 40,
    case when n > 3 then 1 + n % 3 end
from generate_series(1, 40) n;

insert into tours.passes values ('S', 'Small', 9.99), ('M', 'Medium', 19.99), ('B', 'Big', 59.00);

insert into tours.holders
select n, (array['S', 'M', 'M', 'B'])[1 + n % 4], (array['Graz', 'Linz', null])[1 + n % 3], 1 + n % 5, 1 + n * 7 % 10
from generate_series(1, 50) n;

insert into tours.ride_records
select n, 1 + n % 50, (array['city', 'night', 'fair'])[1 + n % 3], n % 4 = 0, 0.5 * (n % 40),
    case when n % 6 = 0 then n % 9 end
from generate_series(1, 130) n;

create table tours.gauges (gauge_id integer primary key, pressure double precision not null);

insert into tours.gauges select n, case when n = 7 then float8 'NaN' else n end from generate_series(1, 20) n;
