-- A fleet of vans. Columns and values are named with words that say little elsewhere: make, in repair.
create schema fleet;

create table fleet.vehicles (
    vehicle_id integer primary key,
    plate text not null unique,
    make text not null,
    status text not null,
    price numeric(9, 2) not null
);
create table fleet.trips (
    trip_id integer primary key,
    vehicle_id integer not null references fleet.vehicles,
    distance numeric(7, 1) not null,
    started_on date not null
);

insert into fleet.vehicles
select n, 'VN-' || 100 + n, pg_temp.pick(n, 'make', array['Volvo', 'Fiat', 'Toyota', 'Renault']),
    pg_temp.pick(n, 'status', array['on the road', 'in repair', 'for sale']), 18000 + pg_temp.dice(n, 'price', 900) * 20
from generate_series(1, 45) n;

insert into fleet.trips
select n, 1 + pg_temp.dice(n, 'van', 45), 3 + pg_temp.dice(n, 'far', 4000) * 0.1, pg_temp.day(n, 'trip')
from generate_series(1, 400) n;
