-- A shipping company: people of one name in two columns, keys by which they do different things, things that were sold
-- or not, years beside the dates of housekeeping, names of tables with prefixes.
create schema quay;

create table quay.ports (port_code char(3) primary key, port_name text not null, country text not null);
create table quay.vessels (vessel_id integer primary key, vessel_name text not null, flag text, sold_on date);
create table quay.sailors (
    sailor_id integer primary key,
    first_name text not null,
    last_name text not null,
    rank text not null,
    email text,
    reports_to integer references quay.sailors
);
create table quay.voyages (
    voyage_no integer primary key,
    vessel_id integer not null references quay.vessels,
    captain_id integer references quay.sailors,
    origin char(3) not null references quay.ports,
    destination char(3) not null references quay.ports,
    miles integer not null,
    status text not null
);
create table quay.t_sales_hdr (sales_no integer primary key, sales_date date not null, payer text, closed date);
create table quay.t_sales_pos (
    sales_no integer not null references quay.t_sales_hdr,
    pos_no integer not null,
    goods text not null,
    quantity integer not null,
    unit_price numeric(6, 2) not null,
    primary key (sales_no, pos_no)
);
create table quay.charts (
    chart_id integer primary key,
    title text not null,
    maker text not null,
    grade text not null,
    release_year integer not null,
    last_update timestamptz not null default '2022-02-15 10:00+00'
);

insert into quay.ports values ('OSL', 'Oslo', 'Norway'), ('RTM', 'Rotterdam', 'Netherlands'), ('SSZ', 'Santos', 'Brazil');

insert into quay.vessels values
    (1, 'Albatross', 'Norway', null), (2, 'Blue Whale', 'Panama', '2024-02-03'), (3, 'Iron Duke', 'Panama', null),
    (4, 'Old Salt', null, '2024-05-06'), (5, 'Penguin', 'Norway', null);

insert into quay.sailors
select n, (array['Anna', 'Bo', 'Carl', 'Anna'])[1 + n % 4], (array['Lund', 'Holm', 'Lund'])[1 + n % 3],
    (array['captain', 'mate', 'cook'])[1 + n / 3 % 3], case when n % 5 > 0 then n || '@quay.test' end,
    case when n > 4 then 1 + n % 4 end
from generate_series(1, 24) n;

insert into quay.voyages
select n, 1 + n % 4, case when n % 7 > 0 then 1 + n * 5 % 11 end, (array['OSL', 'RTM', 'SSZ'])[1 + n % 3],
    (array['SSZ', 'OSL', 'OSL', 'RTM'])[1 + n % 4], 100 + n * 37 % 900, (array['under way', 'in port', 'lost'])[1 + n % 3]
from generate_series(1, 50) n;

insert into quay.t_sales_hdr
select n, date '2024-01-01' + n / 2, case when n % 4 > 0 then 'Payer ' || n % 6 end,
    case when n % 3 = 0 then date '2024-03-01' + n end
from generate_series(1, 40) n;

insert into quay.t_sales_pos
select n, p, (array['rope', 'tar', 'oil'])[1 + (n + p) % 3], 1 + n % 5, 2.5 * p from generate_series(1, 33) n, generate_series(1, 2) p;

insert into quay.charts (chart_id, title, maker, grade, release_year)
select n, 'Chart ' || n, (array['Ada May', 'Ben Low'])[1 + n % 2], (array['A-1', 'B/2', 'A-2'])[1 + n % 3], 2005 + n % 6
from generate_series(1, 20) n;

-- Crates are on several voyages, and voyages have several crates; nothing else tells of either what it tells of both.
create table quay.crates (crate_id integer primary key, label text not null, kind text not null);
create table quay.voyage_crates (
    voyage_no integer not null references quay.voyages,
    crate_id integer not null references quay.crates,
    primary key (voyage_no, crate_id)
);

insert into quay.crates select n, 'Crate ' || n, (array['wood', 'steel'])[1 + n % 2] from generate_series(1, 12) n;

insert into quay.voyage_crates select v, c from generate_series(1, 40) v, generate_series(1, 9) c
where v * c % 4 = 1 or (c = 3 and v < 9);

create table quay.shippers (shipper_id integer primary key, shipper_name text not null, city text not null);
create table quay.loads (
    voyage_no integer not null references quay.voyages,
    shipper_id integer not null references quay.shippers,
    primary key (voyage_no, shipper_id)
);

insert into quay.shippers values (1, 'Fjord Fish', 'Oslo'), (2, 'Maas Malt', 'Rotterdam'), (3, 'Baltic Bolts', 'Gdansk');

insert into quay.loads select v, s from generate_series(1, 30) v, generate_series(1, 3) s where (v + s) % 3 > 0;

create table quay.bills (
    bill_id integer primary key,
    vessel_id integer not null references quay.vessels,
    total numeric(8, 2) not null,
    issued_on date not null,
    paid_on date
);

insert into quay.bills
select n, 1 + n * n % 5, n * n, date '2023-06-01' + n * 20, case when n % 3 > 0 then date '2023-09-01' + n * 20 end
from generate_series(1, 40) n;

-- Vans are active or not in a way of their own, and belong to offices whose heads are.
create table quay.clerks (clerk_id integer primary key, clerk_name text not null, active boolean not null);
create table quay.offices (office_id integer primary key, head_id integer not null references quay.clerks);
create table quay.vans (
    van_id integer primary key,
    office_id integer not null references quay.offices,
    active integer not null,
    "limit" integer
);

insert into quay.clerks values (1, 'Ines', true), (2, 'Jon', true), (3, 'Kai', false);

insert into quay.offices values (1, 1), (2, 2);

insert into quay.vans select n, 1 + n % 2, n % 3, case when n > 2 then n * 100 end from generate_series(1, 8) n;

create table quay.nations (nation_id integer primary key, nation text not null);
create table quay.towns (
    town_id integer primary key,
    town text not null,
    nation_id integer not null references quay.nations
);
create table quay.sheds (
    shed_id integer primary key,
    shed_name text not null,
    town_id integer not null references quay.towns
);

insert into quay.nations values (1, 'Chile'), (2, 'Ghana');

insert into quay.towns values (1, 'Arica', 1), (2, 'Tema', 2), (3, 'Iquique', 1);

insert into quay.sheds select n, 'Shed ' || n, 1 + n % 3 from generate_series(1, 10) n;
