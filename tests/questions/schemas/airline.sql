-- An airline: two keys from one table to the same other one, ties, zeros, and people who never flew.
create schema airline;

create table airline.airports (
    airport_id integer primary key,
    name text not null,
    city text not null,
    country text not null
);
create table airline.aircraft (
    aircraft_id integer primary key,
    model text not null,
    maker text not null,
    seats integer not null,
    built_on date not null
);
create table airline.flights (
    flight_id integer primary key,
    flight_number text not null,
    aircraft_id integer not null references airline.aircraft,
    origin_id integer not null references airline.airports,
    destination_id integer not null references airline.airports,
    departed_on date not null,
    distance integer not null,
    delay integer not null,
    status text not null
);
comment on column airline.flights.distance is 'Distance, in kilometres';
comment on column airline.flights.delay is 'Delay at arrival, in minutes';

create table airline.passengers (
    passenger_id integer primary key,
    name text not null,
    country text not null,
    birth_date date not null,
    tier text not null
);
create table airline.bookings (
    booking_id integer primary key,
    flight_id integer not null references airline.flights,
    passenger_id integer not null references airline.passengers,
    booked_on date not null,
    cabin text not null,
    fare numeric(8, 2) not null,
    bags integer not null,
    checked_in boolean not null
);
comment on column airline.bookings.fare is 'Fare that was paid, in EUR';
comment on column airline.bookings.bags is 'Number of bags';

insert into airline.airports values
    (1, 'Portela', 'Lisbon', 'Portugal'), (2, 'Sá Carneiro', 'Porto', 'Portugal'), (3, 'Barajas', 'Madrid', 'Spain'),
    (4, 'Tegel', 'Berlin', 'Germany'), (5, 'Kastrup', 'Copenhagen', 'Denmark'), (6, 'Arlanda', 'Stockholm', 'Sweden'),
    (7, 'Landvetter', 'Gothenburg', 'Sweden'), (8, 'Dublin Airport', 'Dublin', 'Ireland');

insert into airline.aircraft values
    (1, 'A320', 'Airbus', 180, '2012-03-14'), (2, 'A321', 'Airbus', 220, '2016-07-02'),
    (3, 'B737', 'Boeing', 186, '2014-11-20'), (4, 'E190', 'Embraer', 100, '2018-05-09'),
    (5, 'E195', 'Embraer', 120, '2019-01-30'), (6, 'A220', 'Airbus', 120, '2021-09-17');

insert into airline.flights
select n, 'MO' || 100 + n, 1 + pg_temp.dice(n, 'aircraft', 5), o, 1 + (o + pg_temp.dice(n, 'destination', 6)) % 8,
    pg_temp.day(n, 'departed'), 300 + pg_temp.dice(n, 'distance', 2600), greatest(0, pg_temp.dice(n, 'delay', 120) - 60),
    pg_temp.pick(n, 'status', array['landed', 'landed', 'diverted', 'cancelled'])
from generate_series(1, 260) n cross join lateral (select 1 + pg_temp.dice(n, 'origin', 7) as o) drawn;

insert into airline.passengers
select n, pg_temp.person(n * 19), pg_temp.pick(n, 'country', array['Portugal', 'Spain', 'Sweden', 'Ireland', 'Chile']),
    date '1950-01-01' + pg_temp.dice(n, 'born', 20000), pg_temp.pick(n, 'tier', array['basic', 'silver', 'gold'])
from generate_series(1, 90) n;

insert into airline.bookings
select n, 1 + pg_temp.dice(n, 'flight', 240), 1 + floor(80 * (pg_temp.dice(n, 'passenger', 1000) / 1000.0) ^ 1.3),
    pg_temp.day(n, 'booked'), pg_temp.pick(n, 'cabin', array['economy', 'business', 'first']),
    40 + pg_temp.dice(n, 'fare', 2400) * 0.25, pg_temp.dice(n, 'bags', 4), pg_temp.dice(n, 'checked', 5) > 0
from generate_series(1, 1100) n;
