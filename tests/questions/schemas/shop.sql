-- A web shop whose names need quotes, as tools that were made for another database leave them. Foreign keys, no comments.
create schema shop;

create table shop."Customers" (
    "CustomerID" integer primary key,
    "CustomerName" text not null,
    "City" text not null,
    "Segment" text not null
);
create table shop."Products" (
    "ProductID" integer primary key,
    "ProductName" text not null,
    "Category" text not null,
    "ListPrice" numeric(8, 2) not null
);
create table shop."Orders" (
    "OrderID" integer primary key,
    "CustomerID" integer not null references shop."Customers",
    "OrderDate" date not null,
    "Status" text not null
);
create table shop."Order Lines" (
    "LineID" integer primary key,
    "OrderID" integer not null references shop."Orders",
    "ProductID" integer not null references shop."Products",
    "Quantity" integer not null,
    "LineTotal" numeric(10, 2) not null
);

insert into shop."Customers"
select n, pg_temp.person(n * 7), pg_temp.pick(n, 'city', array['Lisbon', 'Porto', 'Coimbra', 'Faro', 'Braga']),
    pg_temp.pick(n, 'segment', array['Consumer', 'Corporate', 'Public'])
from generate_series(1, 56) n;

insert into shop."Products" values
    (1, 'Trail Tent', 'Camping', 249.00), (2, 'Sleeping Bag', 'Camping', 119.50), (3, 'Gas Stove', 'Camping', 64.90),
    (4, 'Head Torch', 'Lighting', 38.25), (5, 'Lantern', 'Lighting', 45.00), (6, 'Climbing Rope', 'Climbing', 139.00),
    (7, 'Harness', 'Climbing', 88.80), (8, 'Chalk Bag', 'Climbing', 17.40), (9, 'Rain Jacket', 'Clothing', 159.00),
    (10, 'Wool Socks', 'Clothing', 14.75), (11, 'Fleece', 'Clothing', 72.00), (12, 'Water Filter', 'Camping', 54.10);

insert into shop."Orders"
select n, 1 + pg_temp.dice(n, 'customer', 56), pg_temp.day(n, 'order'),
    pg_temp.pick(n, 'status', array['Shipped', 'Open', 'Returned', 'Cancelled'])
from generate_series(1, 340) n;

insert into shop."Order Lines"
select n, 1 + pg_temp.dice(n, 'order', 340), p."ProductID", q, q * p."ListPrice"
from generate_series(1, 900) n
cross join lateral (select 1 + pg_temp.dice(n, 'quantity', 5) as q) quantity
join shop."Products" p on p."ProductID" = 1 + floor(12 * (pg_temp.dice(n, 'product', 1000) / 1000.0) ^ 1.4);
