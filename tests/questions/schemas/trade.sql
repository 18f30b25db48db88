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

-- Articles have versions, so that an article's number is no key; the sales only look as if they pointed to one of them.
create table trade.articles (
    article_id integer not null,
    version integer not null,
    name text not null,
    category text not null,
    primary key (article_id, version)
);
create table trade.article_sales (
    sale_id integer primary key,
    article_id integer not null,
    pieces integer not null
);
-- Without any key, and with one that is none.
create table trade.offices (office_code text, office_name text, town text);
create table trade.purchases (purchase_id integer primary key, office_code text not null, outlay_eur numeric(8, 2) not null);
create table trade.crates (crate_code text, crate_kind text);
create table trade.parcels (parcel_id integer primary key, crate_code text not null, kilos integer not null);

insert into trade.articles
select 1 + n % 4, 1 + n / 4, (array['Lamp', 'Desk', 'Chair', 'Rug'])[1 + n % 4],
    (array['light', 'wood', 'wood', 'textile'])[1 + n % 4]
from generate_series(0, 11) n;

insert into trade.article_sales select n, 1 + n % 4, 1 + n % 3 from generate_series(1, 50) n;

insert into trade.offices values
    ('A', 'Altstadt', 'Graz'), ('A', 'Altstadt (new)', 'Graz'), ('B', 'Bahnhof', 'Linz'), ('C', 'Center', 'Wien');

insert into trade.purchases select n, (array['A', 'B', 'C'])[1 + n % 3], 4 * n from generate_series(1, 60) n;

insert into trade.crates values ('K1', 'open'), ('K2', 'closed');

insert into trade.parcels select n, (array['K1', 'K2'])[1 + n % 2], n from generate_series(1, 25) n;

create table trade.claims (claim_id integer primary key, opened_on date, closed_on date, refund money not null);

insert into trade.claims
select n, date '2025-01-01' + n, case when n % 3 > 0 then date '2025-02-01' + n end, n::numeric::money
from generate_series(1, 40) n;
