-- Mail orders: those of today, those of before, and what was paid back look alike. A view has only some customers.
create schema mail;

create table mail.customers (
    customer_id integer primary key,
    name text not null,
    region text not null,
    active boolean not null
);
create table mail.orders (
    order_id integer primary key,
    customer_id integer not null references mail.customers,
    amount numeric(8, 2) not null,
    ordered_on date not null
);
create table mail.archive_orders (
    order_id integer primary key,
    customer_id integer not null references mail.customers,
    amount numeric(8, 2) not null,
    ordered_on date not null
);
create table mail.gifts (
    gift_id integer primary key,
    customer text not null,
    worth numeric(8, 2) not null
);
create table mail.vouchers (
    voucher_id integer primary key,
    customer_id integer not null references mail.customers,
    worth numeric(8, 2) not null
);
create table mail.refunds (
    refund_id integer primary key,
    customer_id integer not null references mail.customers,
    amount numeric(8, 2) not null,
    reason text not null,
    refunded_on date not null
);

insert into mail.customers
select n, pg_temp.person(n * 11), pg_temp.pick(n, 'region', array['east', 'west', 'islands']), n % 2 = 0
from generate_series(1, 40) n;

insert into mail.orders
select n, 1 + pg_temp.dice(n, 'customer', 40), 5 + pg_temp.dice(n, 'amount', 800) * 0.25, pg_temp.day(n, 'ordered')
from generate_series(1, 240) n;

insert into mail.archive_orders
select n, 1 + pg_temp.dice(n, 'once', 40), 5 + pg_temp.dice(n, 'worth', 700) * 0.25, pg_temp.day(n, 'old') - 1096
from generate_series(1, 160) n;

insert into mail.refunds
select n, 1 + pg_temp.dice(n, 'back', 40), 2 + pg_temp.dice(n, 'money', 300) * 0.25,
    pg_temp.pick(n, 'reason', array['damaged', 'late', 'wrong size']), pg_temp.day(n, 'refunded')
from generate_series(1, 50) n;

insert into mail.gifts select n, pg_temp.person(n * 13), 3 + n from generate_series(1, 20) n;
insert into mail.vouchers select n, 1 + pg_temp.dice(n, 'holder', 40), 10 + n from generate_series(1, 30) n;

create view mail.active_customers as select * from mail.customers where active;
