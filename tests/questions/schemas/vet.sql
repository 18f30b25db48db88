-- A vet. Views keep the dearest treatments and the longest stays; treatments and bills both have a cost.
create schema vet;

create table vet.pets (
    pet_id integer primary key,
    name text not null,
    species text not null
);
create table vet.bills (
    bill_id integer primary key,
    pet_id integer not null references vet.pets,
    cost numeric(8, 2) not null,
    paid_on date
);
create table vet.treatments (
    treatment_id integer primary key,
    pet_id integer not null references vet.pets,
    ward text not null,
    diagnosis text not null,
    cost numeric(8, 2) not null,
    treated_on date not null
);
create table vet.stays (
    stay_id integer primary key,
    pet integer not null references vet.pets,
    nights integer not null,
    fee numeric(8, 2) not null
);

insert into vet.pets
select n, pg_temp.person(n * 7), pg_temp.pick(n, 'species', array['dog', 'cat', 'rabbit', 'parrot'])
from generate_series(1, 60) n;

insert into vet.treatments
select n, 1 + pg_temp.dice(n, 'pet', 60), pg_temp.pick(n, 'ward', array['north', 'south', 'night']),
    pg_temp.pick(n, 'ill', array['fracture', 'fever', 'allergy', 'worms']), 20 + pg_temp.dice(n, 'cost', 900) * 0.5,
    pg_temp.day(n, 'treated')
from generate_series(1, 300) n;

insert into vet.bills
select n, 1 + pg_temp.dice(n, 'payer', 60), 15 + pg_temp.dice(n, 'bill', 700) * 0.75,
    case when pg_temp.dice(n, 'unpaid', 6) > 0 then pg_temp.day(n, 'paid') end
from generate_series(1, 120) n;

insert into vet.stays
select n, 1 + pg_temp.dice(n, 'guest', 60), 1 + pg_temp.dice(n, 'nights', 9), 30 + pg_temp.dice(n, 'fee', 90) * 1.5
from generate_series(1, 90) n;

create view vet.costly as select * from vet.treatments where cost > 300;
create view vet.long_stays as
select s.*, p.species from vet.stays s join vet.pets p on p.pet_id = s.pet where nights > 5;
