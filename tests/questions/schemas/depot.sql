-- A warehouse: abbreviations, names that are words of SQL, a view, and two schemas that both have a table stock.
create schema depot;
create schema archive;

create table depot.items (
    item_id integer primary key,
    descr text not null,
    grp text not null,
    wt_kg numeric(6, 2)
);
comment on column depot.items.descr is 'Description of the item';
comment on column depot.items.grp is 'Group of goods';
comment on column depot.items.wt_kg is 'Weight of one item in kilograms';
create table depot.stock (
    item_id integer not null references depot.items,
    bay text not null,
    qty integer not null,
    counted_on date not null,
    primary key (item_id, bay)
);
comment on table depot.stock is 'What lies in the warehouse now';
create table archive.stock (
    item_id integer not null,
    bay text not null,
    qty integer not null,
    counted_on date not null
);
comment on table archive.stock is 'What lay in the warehouse in former years';
create table depot.moves (
    move_id integer primary key,
    item_id integer not null references depot.items,
    kind text not null,
    qty integer not null,
    amt numeric(10, 2) not null,
    dt date not null
);
comment on table depot.moves is 'Goods that came in or went out';
comment on column depot.moves.qty is 'Number of items';
comment on column depot.moves.amt is 'Value of the goods, in USD';
comment on column depot.moves.dt is 'Day of the move';
create table depot.bookings (
    "order" integer primary key,
    "user" text not null,
    "group" text not null,
    "start" date not null,
    "end" date
);
comment on table depot.bookings is 'Who has booked the loading dock';
create view depot.heavy_items as select item_id, descr, wt_kg from depot.items where wt_kg > 20;
comment on view depot.heavy_items is 'Items that need two people';

insert into depot.items values
    (1, 'Anvil', 'tools', 54.00), (2, 'Bench vice', 'tools', 17.50), (3, 'Cement bag', 'building', 25.00),
    (4, 'Door hinge', 'fittings', 0.35), (5, 'Extension lead', 'electric', 1.80), (6, 'Floor tile', 'building', 2.20),
    (7, 'Generator', 'electric', 41.00), (8, 'Hand saw', 'tools', 0.90), (9, 'Insulation roll', 'building', 9.60),
    (10, 'Junction box', 'electric', 0.25), (11, 'Kerb stone', 'building', 88.00), (12, 'Ladder', 'tools', null);

insert into depot.stock
select i, bay, 3 + pg_temp.dice(i, 'now' || bay, 240), date '2025-10-01' + pg_temp.dice(i, 'counted' || bay, 60)
from generate_series(1, 12) i, unnest(array['A1', 'B2', 'C3']) bay where pg_temp.dice(i, 'lies' || bay, 3) > 0;

insert into archive.stock
select i, bay, 3 + pg_temp.dice(i, year || bay, 240), make_date(year, 12, 31)
from generate_series(1, 12) i, unnest(array['A1', 'B2', 'C3']) bay, generate_series(2021, 2024) year;

insert into depot.moves
select n, i, pg_temp.pick(n, 'kind', array['out', 'in', 'scrap']), q, q * (3.1 + i * 1.7), pg_temp.day(n, 'move')
from generate_series(1, 420) n
cross join lateral (select 1 + pg_temp.dice(n, 'item', 12) as i, 1 + pg_temp.dice(n, 'qty', 30) as q) drawn;

insert into depot.bookings
select n, pg_temp.pick(n, 'user', array['kemal', 'birgit', 'sunita', 'owen']),
    pg_temp.pick(n, 'team', array['north', 'south', 'night']), s,
    case when pg_temp.dice(n, 'open', 7) > 0 then s + pg_temp.dice(n, 'length', 6) end
from generate_series(1, 90) n cross join lateral (select pg_temp.day(n, 'booked') as s) began;
