-- A cinema, as an old program keeps it: names in the singular, neither comments nor foreign keys.
create schema cinema;

create table cinema.film (
    film_id integer primary key,
    title text not null,
    genre text not null,
    director text,
    runtime integer not null,
    release_year integer not null
);
create table cinema.hall (
    hall_id integer primary key,
    hall_name text not null,
    seats integer not null
);
create table cinema.screening (
    screening_id integer primary key,
    film_id integer not null,
    hall_id integer not null,
    shown_on date not null,
    language text not null
);
create table cinema.ticket (
    ticket_id integer primary key,
    screening_id integer not null,
    seat_row text not null,
    price numeric(6, 2) not null,
    discount boolean not null,
    sold_online boolean not null
);

insert into cinema.film values
    (1, 'Paper Moon Rising', 'drama', 'H. Oyelaran', 118, 2023), (2, 'The Lighthouse Heist', 'thriller', 'B. Fossum', 104, 2024),
    (3, 'Galaxy of Two', 'science fiction', 'K. Ueda', 141, 2024), (4, 'Grandma Drives', 'comedy', null, 93, 2023),
    (5, 'Silent Orchard', 'drama', 'H. Oyelaran', 127, 2025), (6, 'Robot Picnic', 'animation', 'C. Mota', 88, 2025),
    (7, 'Midnight Ferry', 'thriller', 'B. Fossum', 111, 2022), (8, 'Dust and Honey', 'documentary', 'P. Hale', 79, 2024),
    (9, 'Crown of Reeds', 'drama', 'K. Ueda', 152, 2023), (10, 'Two Left Feet', 'comedy', 'C. Mota', 99, 2025);

insert into cinema.hall values (1, 'Grand', 240), (2, 'Studio', 85), (3, 'Attic', 48);

insert into cinema.screening
select n, 1 + floor(10 * (pg_temp.dice(n, 'film', 1000) / 1000.0) ^ 1.4), 1 + pg_temp.dice(n, 'hall', 3),
    pg_temp.day(n, 'shown'), pg_temp.pick(n, 'language', array['English', 'Welsh', 'French'])
from generate_series(1, 150) n;

insert into cinema.ticket
select n, 1 + pg_temp.dice(n, 'screening', 150), chr(65 + pg_temp.dice(n, 'row', 8)),
    6 + pg_temp.dice(n, 'ticket', 29) * 0.25, pg_temp.dice(n, 'discount', 4) = 0, pg_temp.dice(n, 'online', 3) > 0
from generate_series(1, 1200) n;
