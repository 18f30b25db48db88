-- A bakery franchise. Run as lakehouse_owner.
create schema bakehouse;
comment on schema bakehouse is 'A bakery franchise: its shops, their suppliers, sales and reviews';

create table bakehouse.suppliers (
    supplier_id integer primary key,
    name text not null unique,
    ingredient text not null,
    city text not null,
    country text not null,
    continent text not null,
    approved boolean not null
);
comment on table bakehouse.suppliers is 'Companies that deliver ingredients to the franchises';
comment on column bakehouse.suppliers.supplier_id is 'Number of the supplier';
comment on column bakehouse.suppliers.name is 'Name of the company';
comment on column bakehouse.suppliers.ingredient is 'What it delivers, such as flour or butter';
comment on column bakehouse.suppliers.city is 'City it delivers from';
comment on column bakehouse.suppliers.country is 'Country it delivers from';
comment on column bakehouse.suppliers.continent is 'Continent of that country';
comment on column bakehouse.suppliers.approved is 'Whether it passed the last food safety audit';

create table bakehouse.franchises (
    franchise_id integer primary key,
    name text not null unique,
    city text not null,
    country text not null,
    size text not null check (size in ('small', 'medium', 'large')),
    supplier_id integer not null references bakehouse.suppliers,
    opened_on date not null
);
create index on bakehouse.franchises (supplier_id);
create index on bakehouse.franchises (country);
comment on table bakehouse.franchises is 'Bakery shops, each run by a franchisee';
comment on column bakehouse.franchises.franchise_id is 'Number of the franchise';
comment on column bakehouse.franchises.name is 'Name of the shop';
comment on column bakehouse.franchises.city is 'City of the shop';
comment on column bakehouse.franchises.country is 'Country of the shop';
comment on column bakehouse.franchises.size is 'Size of the shop: small, medium or large';
comment on column bakehouse.franchises.supplier_id is 'Main supplier of the shop';
comment on column bakehouse.franchises.opened_on is 'Day the shop opened';

create table bakehouse.transactions (
    transaction_id integer primary key,
    franchise_id integer not null references bakehouse.franchises,
    product text not null,
    quantity integer not null check (quantity > 0),
    unit_price numeric(10, 2) not null,
    total_price numeric(12, 2) not null check (total_price = quantity * unit_price),
    payment_method text not null,
    sold_at timestamptz not null
);
create index on bakehouse.transactions (franchise_id);
create index on bakehouse.transactions (sold_at);
comment on table bakehouse.transactions is 'Sales of the franchises in 2024 and 2025, one product each';
comment on column bakehouse.transactions.transaction_id is 'Number of the sale';
comment on column bakehouse.transactions.franchise_id is 'Franchise that made the sale';
comment on column bakehouse.transactions.product is 'Product sold';
comment on column bakehouse.transactions.quantity is 'Number of pieces sold';
comment on column bakehouse.transactions.unit_price is 'Price of one piece, in EUR';
comment on column bakehouse.transactions.total_price is 'Revenue of the sale: quantity times unit price, in EUR';
comment on column bakehouse.transactions.payment_method is 'How it was paid: card, cash, app or voucher';
comment on column bakehouse.transactions.sold_at is 'Time of the sale';

create table bakehouse.reviews (
    review_id integer primary key,
    franchise_id integer not null references bakehouse.franchises,
    rating integer not null check (rating between 1 and 5),
    review text not null,
    reviewed_on date not null
);
create index on bakehouse.reviews (franchise_id);
comment on table bakehouse.reviews is 'What customers say about the franchises';
comment on column bakehouse.reviews.review_id is 'Number of the review';
comment on column bakehouse.reviews.franchise_id is 'Franchise that was reviewed';
comment on column bakehouse.reviews.rating is 'Stars, from 1 (bad) to 5 (excellent)';
comment on column bakehouse.reviews.review is 'What the customer wrote';
comment on column bakehouse.reviews.reviewed_on is 'Day of the review';
