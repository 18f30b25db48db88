-- A hospital: keys are UUIDs, people have a surname only, amounts stand in two tables and one is spelled in quotes.
create schema ward;

create table ward.doctors (
    doctor_id uuid primary key,
    surname text not null,
    specialty text not null,
    town text not null
);
create table ward.owners (
    owner_id integer primary key,
    surname text not null,
    town text not null
);
create table ward.animals (
    animal_id integer primary key,
    owner_id integer not null references ward.owners,
    name text not null,
    species text not null
);
create table ward.visits (
    visit_id integer primary key,
    animal_id integer not null references ward.animals,
    doctor_id uuid not null references ward.doctors,
    visited_on date not null,
    minutes integer not null,
    fee numeric(8, 2) not null
);
create table ward.surgeries (
    surgery_id integer primary key,
    doctor_id uuid not null references ward.doctors,
    animal_id integer not null references ward.animals,
    operation text not null,
    done_on date not null
);
create table ward.invoices (
    invoice_id integer primary key,
    visit_id integer not null references ward.visits,
    amount numeric(8, 2) not null,
    status text not null
);
create table ward."Bulk Orders" (
    "Order ID" integer primary key,
    "Ordered On" date not null,
    "Total Amount" numeric(9, 2) not null,
    "Status" text not null
);

insert into ward.doctors
select md5(n::text)::uuid, s, pg_temp.pick(n, 'specialty', array['surgery', 'dentistry', 'dermatology']),
    pg_temp.pick(n, 'home', array['Bath', 'Exeter', 'Truro'])
from unnest(array['Abara', 'Bellini', 'Castro', 'Dunne', 'Eklund', 'Fonseca', 'Gatti']) with ordinality as d (s, n);

insert into ward.owners
select n, 'Owner' || n, pg_temp.pick(n, 'town', array['Bath', 'Exeter', 'Truro', 'Penzance'])
from generate_series(1, 40) n;

insert into ward.animals
select n, 1 + pg_temp.dice(n, 'owner', 35), pg_temp.person(n * 5), pg_temp.pick(n, 'species', array['dog', 'cat', 'owl'])
from generate_series(1, 70) n;

insert into ward.visits
select n, 1 + pg_temp.dice(n, 'animal', 70), md5((1 + pg_temp.dice(n, 'doctor', 6))::text)::uuid,
    pg_temp.day(n, 'visit'), 5 + pg_temp.dice(n, 'minutes', 60), 20 + pg_temp.dice(n, 'fee', 200) * 0.5
from generate_series(1, 240) n;

insert into ward.surgeries
select n, md5((1 + pg_temp.dice(n, 'surgeon', 4))::text)::uuid, 1 + pg_temp.dice(n, 'cut', 70),
    pg_temp.pick(n, 'operation', array['spay', 'dental', 'fracture']), pg_temp.day(n, 'operated')
from generate_series(1, 60) n;

insert into ward.invoices
select n, 1 + pg_temp.dice(n, 'billed', 240), 15 + pg_temp.dice(n, 'amount', 500) * 0.5,
    pg_temp.pick(n, 'paid', array['paid', 'open', 'overdue'])
from generate_series(1, 180) n;

insert into ward."Bulk Orders"
select n, pg_temp.day(n, 'ordered'), 100 + pg_temp.dice(n, 'bulk', 900),
    pg_temp.pick(n, 'state', array['paid', 'open', 'shipped'])
from generate_series(1, 50) n;
