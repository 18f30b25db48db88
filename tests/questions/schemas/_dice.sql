-- Chance that falls the same way on every machine and in every version of Postgres.

-- A number from 0 to sides - 1 for the n-th row.
create function pg_temp.dice(n bigint, salt text, sides integer) returns integer language sql immutable
    return ('x' || substr(md5(salt || n), 1, 7))::bit(28)::integer % sides;

-- One of the texts; the first ones more often than the last ones.
create function pg_temp.pick(n bigint, salt text, texts text[]) returns text language sql immutable
    return texts[1 + floor(cardinality(texts) * (pg_temp.dice(n, salt, 100000) / 100000.0) ^ 1.6)::integer];

-- A day of the years 2023 to 2025.
create function pg_temp.day(n bigint, salt text) returns date language sql immutable
    return date '2023-01-01' + pg_temp.dice(n, salt, 1096);

-- A name that people have; another one for each n up to 400.
create function pg_temp.person(n bigint) returns text language sql immutable return
    (array['Amara', 'Björn', 'Celia', 'Dario', 'Edith', 'Fumiko', 'Gustav', 'Halima', 'Ivana', 'Jorge',
           'Kirsten', 'Liam', 'Mei', 'Noor', 'Otto', 'Paula', 'Rashid', 'Sofia', 'Thabo', 'Vera'])[1 + n % 20]
    || ' ' ||
    (array['Abara', 'Berg', 'Castro', 'Dahl', 'Endo', 'Fontaine', 'Gruber', 'Haddad', 'Iversen', 'Jung',
           'Kovacs', 'Lindqvist', 'Mancini', 'Nowak', 'O''Brien', 'Petrov', 'Reyes', 'Sato', 'Turner', 'Zhou'])
    [1 + (n / 20 + n) % 20];
