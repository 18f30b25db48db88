-- A trading house. Its values look like words that usually say nothing, and not every key is unique.
create schema trade;

create table trade.accounts (
    account_id integer primary key,
    holder text not null,
    currency char(3) not null,
    balance numeric(10, 2) not null,
    overdrawn boolean not null
);
create table trade.depots (
    depot_id integer primary key,
    depot_name text not null,
    state char(2) not null,
    grade char(1) not null,
    rent numeric(8, 2) not null
);
create table trade.repairs (
    repair_id integer primary key,
    depot_id integer not null references trade.depots,
    cost_eur numeric(8, 2) not null
);
create table trade.discs (
    disc_id integer primary key,
    title text not null,
    band text not null,
    mood text not null,
    plays integer not null
);

insert into trade.accounts
select n, 'Holder ' || n, (array['EUR', 'USD', 'GBP'])[1 + n % 3], 10 * n, n % 7 = 0 from generate_series(1, 40) n;

insert into trade.depots
select n, 'Depot ' || n, (array['IN', 'ME', 'OK', 'NY', 'HI'])[1 + n % 5], (array['A', 'B', 'I'])[1 + n % 3], 100 * n
from generate_series(1, 32) n;

insert into trade.repairs select n, 1 + n % 32, 5 * n from generate_series(1, 90) n;

insert into trade.discs
select n, 'Disc ' || n, (array['Now', 'Please', 'The Owls', 'Any'])[1 + n % 4],
    (array['OK', 'just', 'calm'])[1 + n % 3], 3 * n
from generate_series(1, 70) n;
