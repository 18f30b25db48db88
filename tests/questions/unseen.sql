-- Questions about schemas that nothing in the model was written for: schemas/*.sql, each read by one login.

-- # shop

-- dora: which tables are there?
-- told
values ('Customers'), ('Products'), ('Orders'), ('Order Lines');

-- dora: describe order lines
-- told
select column_name::text from information_schema.columns where table_name = 'Order Lines';

-- dora: how many customers do we have?
-- from: shop.Customers
select count(*) from shop."Customers";

-- dora: How many order lines are there?
select count(*) from shop."Order Lines";

-- dora: number of orders by status
select "Status", count(*) from shop."Orders" group by 1;

-- dora: how many customers live in lisbon
select count(*) from shop."Customers" where "City" = 'Lisbon';

-- dora: what is the average list price?
select avg("ListPrice") from shop."Products";

-- dora: most expensive product
select "ProductName" from shop."Products" order by "ListPrice" desc limit 1;
-- or
-- refused

-- dora: Which product has the highest list price?
select "ProductName", "ListPrice" from shop."Products" order by 2 desc limit 1;

-- dora: list the products in the Camping category
select "ProductName" from shop."Products" where "Category" = 'Camping';

-- dora: sum of line total by category
-- from: shop.Order Lines, shop.Products
select "Category", sum("LineTotal") from shop."Order Lines" join shop."Products" using ("ProductID") group by 1;

-- dora: top 3 products by quantity
select "ProductName", sum("Quantity") from shop."Order Lines" join shop."Products" using ("ProductID")
group by 1 order by 2 desc limit 3;

-- dora: orders per month in 2024
select to_char("OrderDate", 'YYYY-MM') as month, count(*) from shop."Orders"
where "OrderDate" >= '2024-01-01' and "OrderDate" < '2025-01-01' group by 1;

-- dora: how many orders were placed in may 2025?
select count(*) from shop."Orders" where "OrderDate" >= '2025-05-01' and "OrderDate" < '2025-06-01';

-- dora: how many Trail Tents were sold?
-- refused

-- dora: how many orders came from customers in Porto?
select count(*) from shop."Orders" join shop."Customers" using ("CustomerID") where "City" = 'Porto';

-- dora: what was the order date of the latest order?
select max("OrderDate") from shop."Orders";

-- dora: which customer has the most orders
select "CustomerName" from shop."Orders" join shop."Customers" using ("CustomerID")
group by 1 order by count(*) desc limit 1;

-- dora: how many orders are there?
-- then: how many of them were returned?
select count(*) from shop."Orders" where "Status" = 'Returned';

-- dora: total line total
-- then: by product name
-- then: top 4
select "ProductName", sum("LineTotal") from shop."Order Lines" join shop."Products" using ("ProductID")
group by 1 order by 2 desc limit 4;

-- dora: how many orders in 2023?
-- then: and 2024?
-- then: per status
select "Status", count(*) from shop."Orders" where "OrderDate" >= '2024-01-01' and "OrderDate" < '2025-01-01'
group by 1;

-- dora: how many customers are there and how many products are there?
select count(*) from shop."Customers";
select count(*) from shop."Products";

-- dora: how much profit did we make?
-- refused

-- dora: how many employees work here?
-- refused

-- dora: list customers in Reykjavik
-- refused

-- # clinic

-- emil: how many patients are there?
-- from: clinic.patients
select count(*) from clinic.patients;

-- emil: What kinds of specialty do we have?
select distinct specialty from clinic.doctors;

-- emil: number of doctors per specialty
select specialty, count(*) from clinic.doctors group by 1;

-- emil: how many appointments were cancelled?
select count(*) from clinic.appointments where status = 'cancelled';

-- emil: average fee
select avg(fee) from clinic.appointments;

-- emil: what's the total fee per doctor?
select full_name, sum(fee) from clinic.appointments join clinic.doctors using (doctor_id) group by 1;

-- emil: Total fees by specialty
select specialty, sum(fee) from clinic.appointments join clinic.doctors using (doctor_id) group by 1;

-- emil: which doctor has the most appointments?
select full_name from clinic.appointments join clinic.doctors using (doctor_id) group by 1 order by count(*) desc limit 1;

-- emil: top 3 drugs by number of prescriptions
select drug, count(*) from clinic.prescriptions group by 1 order by 2 desc limit 3;

-- emil: how many prescriptions of metformin
select count(*) from clinic.prescriptions where drug = 'Metformin';

-- emil: how many appointments between 1 March 2024 and 15 March 2024?
select count(*) from clinic.appointments where starts_at >= '2024-03-01' and starts_at < '2024-03-16';

-- emil: how many patients were born before 1950?
select count(*) from clinic.patients where birth_date < '1950-01-01';

-- emil: the oldest patient
select full_name from clinic.patients order by birth_date limit 1;
-- or
-- refused

-- emil: how many prescriptions have a dose above 300 mg
select count(*) from clinic.prescriptions where dose_mg > 300;

-- emil: How many female patients live in Graz?
select count(*) from clinic.patients where gender = 'female' and city = 'Graz';

-- emil: in which city does Thabo Turner live
select city from clinic.patients where full_name = 'Thabo Turner';
-- or
-- refused

-- emil: number of patients by insurer
select insurer, count(*) from clinic.patients group by 1;
-- or
select insurer, count(*) from clinic.patients where insurer is not null group by 1;

-- emil: appointments per year
select extract(year from starts_at)::int as year, count(*) from clinic.appointments group by 1;

-- emil: appointments per year
-- then: only completed ones
select extract(year from starts_at)::int as year, count(*) from clinic.appointments where status = 'completed' group by 1;

-- emil: how many appointments did Noor Mancini have?
-- then: and Otto Nowak?
select count(*) from clinic.appointments join clinic.doctors using (doctor_id) where full_name = 'Otto Nowak';

-- emil: average dose by drug
-- then: highest first
select drug, avg(dose_mg) from clinic.prescriptions group by 1 order by 2 desc;

-- emil: how many patients died?
-- refused

-- emil: Which patients will not show up tomorrow?
-- refused

-- emil: average blood pressure of patients in Linz
-- refused

-- # library

-- frida: how many books do you have?
-- from: lib.itm
select count(*) from lib.itm;

-- frida: number of members per branch
select brn, count(*) from lib.mbr group by 1;

-- frida: How many loans were there in 2024?
select count(*) from lib.lns where tkn >= '2024-01-01' and tkn < '2025-01-01';
-- or
-- refused

-- frida: average number of pages by genre
select gnr, avg(pgs) from lib.itm group by 1;

-- frida: total fines
select sum(fin) from lib.lns;

-- frida: list the titles of all fantasy books
select ttl from lib.itm where gnr = 'fantasy';

-- frida: who wrote Moth Season?
select aut from lib.itm where ttl = 'Moth Season';
-- or
-- refused

-- frida: author of "Copper Rain"
select aut from lib.itm where ttl = 'Copper Rain';

-- frida: which book has the most pages?
select ttl, pgs from lib.itm order by pgs desc limit 1;

-- frida: which book was borrowed most often?
select ttl from lib.lns join lib.itm using (itm_no) group by 1 order by count(*) desc limit 1;

-- frida: top 5 titles by number of loans
select ttl, count(*) from lib.lns join lib.itm using (itm_no) group by 1 order by 2 desc limit 5;

-- frida: number of loans by genre
select gnr, count(*) from lib.lns join lib.itm using (itm_no) group by 1;

-- frida: sum of fines per branch
select brn, sum(fin) from lib.lns join lib.mbr using (mbr_no) group by 1;

-- frida: how many loans have a fine of more than 5
select count(*) from lib.lns where fin > 5;

-- frida: what is the highest purchase price?
select max(prc) from lib.itm;

-- frida: how many members are registered at Eastgate?
-- then: and at Mill Lane?
select count(*) from lib.mbr where brn = 'Mill Lane';

-- frida: how many books are there?
-- then: by author
-- then: the top 2
select aut, count(*) from lib.itm group by 1 order by 2 desc limit 2;

-- frida: how many books can I borrow at the same time?
-- refused

-- frida: which member is the nicest?
-- refused

-- frida: number of loans of horror books
-- refused

-- # web

-- gus: how many page views are there in total?
-- from: web.page_views
select count(*) from web.page_views;

-- gus: visitors by device
select device, count(*) from web.visitors group by 1;

-- gus: how many visitors are subscribed?
select count(*) from web.visitors where subscribed;

-- gus: how many visitors are not subscribed
select count(*) from web.visitors where not subscribed;

-- gus: page views per path
select path, count(*) from web.page_views group by 1;

-- gus: average duration seconds per path
select path, avg(duration_seconds) from web.page_views group by 1;

-- gus: number of errors with code 404
select count(*) from web.errors where code = 404;

-- gus: Which error code is the most frequent?
select code from web.errors group by 1 order by count(*) desc limit 1;

-- gus: how many page views by visitors from Kenya?
select count(*) from web.page_views join web.visitors using (visitor_id) where country = 'Kenya';

-- gus: views per country
select country, count(*) from web.page_views join web.visitors using (visitor_id) group by 1;
-- or
select country, count(*) from web.page_views join web.visitors using (visitor_id) where country is not null group by 1;

-- gus: page views per month in 2025
select to_char(viewed_at, 'YYYY-MM') as month, count(*) from web.page_views
where viewed_at >= '2025-01-01' and viewed_at < '2026-01-01' group by 1;

-- gus: how many views since 2025-11-01
select count(*) from web.page_views where viewed_at >= '2025-11-01';

-- gus: how many errors were resolved?
select count(*) from web.errors where resolved;

-- gus: how many page views are from bots?
select count(*) from web.page_views where is_bot;
-- or
-- refused

-- gus: longest duration of a page view
select max(duration_seconds) from web.page_views;

-- gus: how many visitors have no referrer?
select count(*) from web.visitors where referrer is null;
-- or
-- refused

-- gus: how many visitors from Norway?
-- then: and from Chile
-- then: by device
select device, count(*) from web.visitors where country = 'Chile' group by 1;

-- gus: errors per year
-- then: only code 500
select extract(year from occurred_at)::int as year, count(*) from web.errors where code = 500 group by 1;

-- gus: what is our bounce rate?
-- refused

-- gus: why do people leave the page /pricing?
-- refused

-- gus: how many visitors from Narnia
-- refused

-- # depot

-- hana: list tables
-- told
values ('depot.stock'), ('archive.stock'), ('depot.items'), ('heavy_items');

-- hana: how many items are there?
-- from: depot.items
select count(*) from depot.items;

-- hana: number of rows in archive.stock
-- from: archive.stock
select count(*) from archive.stock;

-- hana: total qty in depot.stock
-- from: depot.stock
select sum(qty) from depot.stock;

-- hana: show the heavy items
select descr from depot.heavy_items;

-- hana: how many heavy items are there?
select count(*) from depot.heavy_items;

-- hana: sum of amt by kind
select kind, sum(amt) from depot.moves group by 1;

-- hana: What is the total value of the goods that went out?
select sum(amt) from depot.moves where kind = 'out';

-- hana: bookings per user
select "user", count(*) from depot.bookings group by 1;

-- hana: how many bookings does the group night have?
select count(*) from depot.bookings where "group" = 'night';

-- hana: how many bookings did kemal make
select count(*) from depot.bookings where "user" = 'kemal';

-- hana: weight of the generator
select wt_kg from depot.items where descr = 'Generator';

-- hana: heaviest item
select descr from depot.items where wt_kg is not null order by wt_kg desc limit 1;
-- or
-- refused

-- hana: which item has the largest weight?
select descr, wt_kg from depot.items where wt_kg is not null order by wt_kg desc limit 1;

-- hana: number of moves per item
select descr, count(*) from depot.moves join depot.items using (item_id) group by 1;
-- or
select item_id, count(*) from depot.moves group by 1;

-- hana: top 3 items by amt
select descr, sum(amt) from depot.moves join depot.items using (item_id) group by 1 order by 2 desc limit 3;

-- hana: how many moves in 2024?
-- then: only scrap
-- then: and in 2025
select count(*) from depot.moves where kind = 'scrap' and dt >= '2025-01-01' and dt < '2026-01-01';

-- hana: how many tools do we have?
select count(*) from depot.items where grp = 'tools';

-- hana: what is the price of the ladder at our competitor?
-- refused

-- hana: which shelf will be empty first?
-- refused

-- hana: drop table depot.stock
-- refused

-- hana: how many forklifts do we own?
-- refused

-- # gallery

-- kofi: how many artists are from Spain?
-- from: gallery.artists
select count(*) from gallery.artists where country = 'Spain';

-- kofi: artists born after 1950
-- from: gallery.artists
select name from gallery.artists where birth_year > 1950;

-- kofi: how many artists were born before 1930?
select count(*) from gallery.artists where birth_year < 1930;

-- kofi: how many artists died before 1990?
select count(*) from gallery.artists where death_year < 1990;

-- kofi: average asking price of works by artists born since 1960
select a.name, avg(asking_price) from gallery.works join gallery.artists a using (artist_id) where birth_year >= 1960
group by 1;
-- or
select avg(asking_price) from gallery.works join gallery.artists using (artist_id) where birth_year >= 1960;

-- kofi: works made after 1990
select title from gallery.works where year > 1990;

-- kofi: youngest artist
select name, birth_year from gallery.artists order by birth_year desc limit 1;

-- kofi: who is the oldest artist from Mexico?
select name, birth_year from gallery.artists where country = 'Mexico' order by birth_year limit 1;

-- kofi: the 3 youngest artists
-- then: from Japan
select name, birth_year from gallery.artists where country = 'Japan' order by birth_year desc limit 3;

-- kofi: when was Mei Haddad born?
select birth_year from gallery.artists where name = 'Mei Haddad';

-- kofi: what is the earliest birth year?
select min(birth_year) from gallery.artists;

-- kofi: artists after 1950
-- refused

-- kofi: artists born in March 1950
-- refused

-- kofi: youngest customer
-- refused

-- kofi: artists from Japan
-- then: their works after 1990
select title from gallery.works join gallery.artists using (artist_id) where country = 'Japan' and year > 1990;

-- kofi: who has the most works?
select a.name, count(*) from gallery.works join gallery.artists a using (artist_id) group by 1 order by 2 desc limit 1;

-- kofi: largest order of 2024
select amount, ordered_on from gallery.orders where ordered_on >= '2024-01-01' and ordered_on < '2025-01-01'
order by amount desc limit 1;

-- kofi: artists whose birth year is above 1950
select name from gallery.artists where birth_year > 1950;

-- kofi: customers with an amount above 5000
-- refused

-- kofi: artists born in the 1950s
select name from gallery.artists where birth_year between 1950 and 1959;

-- kofi: how many artists were born in 1950 or later?
select count(*) from gallery.artists where birth_year >= 1950;

-- kofi: customers by number of orders
select name, count(*) from gallery.orders join gallery.customers using (customer_id) group by customer_id, name;

-- frida: top 2 books by pages
-- then: and by purchase price?
select ttl, prc from lib.itm order by prc desc limit 2;

-- kofi: how many customers have never ordered anything?
select count(*) from gallery.customers c
where not exists (select 1 from gallery.orders o where o.customer_id = c.customer_id);

-- kofi: customers who did not order in 2024
select name from gallery.customers c where not exists (
    select 1 from gallery.orders o
    where o.customer_id = c.customer_id and ordered_on >= '2024-01-01' and ordered_on < '2025-01-01');

-- kofi: how many customers have not ordered in Osaka?
select count(*) from gallery.customers c where city = 'Osaka'
and not exists (select 1 from gallery.orders o where o.customer_id = c.customer_id);

-- kofi: artists without orders
-- refused

-- frida: members who never borrowed a book
-- refused

-- emil: how many patients had no appointments in 2025?
select count(*) from clinic.patients p where not exists (
    select 1 from clinic.appointments a
    where a.patient_id = p.patient_id and starts_at >= '2025-01-01' and starts_at < '2026-01-01');

-- kofi: how many living artists are there?
-- refused

-- kofi: customers living in Osaka
select name from gallery.customers where city = 'Osaka';

-- kofi: who ordered works of Mei Haddad?
select distinct c.name from gallery.orders join gallery.customers c using (customer_id)
join gallery.works using (work_id) join gallery.artists a using (artist_id) where a.name = 'Mei Haddad';

-- ivo: who trains Boxing?
select t.name from gym.courses c join gym.trainers t on t.id = c.trainer_id where c.title = 'Boxing';

-- dora: cheapest product
-- then: and the most expensive?
select "ProductName" from shop."Products" order by "ListPrice" desc limit 1;

-- juno: youngest director
-- refused

-- # vet

-- lena: average cost per ward
-- from: vet.treatments
select ward, avg(cost) from vet.treatments group by 1;

-- lena: minimum and maximum cost of a fracture
-- from: vet.treatments
select min(cost), max(cost) from vet.treatments where diagnosis = 'fracture';

-- lena: how many pets were treated in 2023?
select count(distinct pet_id) from vet.treatments where treated_on >= '2023-01-01' and treated_on < '2024-01-01';

-- lena: average cost of costly
select avg(cost) from vet.costly;

-- lena: average cost of treatments
select avg(cost) from vet.treatments;

-- lena: average cost
-- refused
select avg(cost) from vet.treatments;

-- lena: top 3 pets by cost
-- refused

-- lena: cost by month in 2023
-- refused

-- lena: how many pets are there?
-- then: and the average cost?
-- refused

-- lena: average cost
-- then: the treatments
select avg(cost) from vet.treatments;

-- lena: cost by month in 2023
-- then: of the bills
select to_char(paid_on, 'YYYY-MM') as month, sum(cost) from vet.bills
where paid_on >= '2023-01-01' and paid_on < '2024-01-01' group by 1;

-- lena: how many pets are there?
-- then: and the average cost?
-- then: vet.treatments
-- then: only dogs
select avg(cost) from vet.treatments join vet.pets using (pet_id) where species = 'dog';

-- lena: average fee by species
select species, avg(fee) from vet.stays join vet.pets on pet = pet_id group by 1;

-- lena: average fee of long stays by species
select species, avg(fee) from vet.long_stays group by 1;

-- lena: top 2 pets by fee
select name, sum(fee) from vet.stays join vet.pets on pet = pet_id group by pet_id, name order by 2 desc limit 2;

-- lena: total fee by pet
select name, sum(fee) from vet.stays join vet.pets on pet = pet_id group by pet_id, name;

-- # mail

-- mira: top 3 customers by worth
-- refused

-- mira: total amount
-- then: archive_orders
select sum(amount) from mail.archive_orders;

-- mira: total amount
-- refused

-- mira: amount per month in 2024
-- refused

-- mira: amount by region
-- refused

-- mira: top 3 customers by amount
-- then: orders
select name, sum(amount) from mail.orders join mail.customers using (customer_id)
group by customer_id, name order by 2 desc limit 3;

-- mira: how many customers are there?
-- from: mail.customers
select count(*) from mail.customers;

-- mira: how many active customers are there?
select count(*) from mail.customers where active;

-- mira: list the customers in the islands region
-- from: mail.customers
select name from mail.customers where region = 'islands';

-- mira: total amount of refunds by reason
select reason, sum(amount) from mail.refunds group by 1;

-- # fleet

-- nils: average price by make
select make, avg(price) from fleet.vehicles group by 1;

-- nils: total distance by make
select make, sum(distance) from fleet.trips join fleet.vehicles using (vehicle_id) group by 1;

-- nils: how many makes are there?
select count(distinct make) from fleet.vehicles;

-- nils: how many vehicles are in repair?
select count(*) from fleet.vehicles where status = 'in repair';

-- nils: which vehicles are for sale?
select plate from fleet.vehicles where status = 'for sale';

-- nils: total distance in the first half of 2024
select sum(distance) from fleet.trips where started_on >= '2024-01-01' and started_on < '2024-07-01';

-- nils: how many trips in the last month of 2024?
select count(*) from fleet.trips where started_on >= '2024-12-01' and started_on < '2025-01-01';

-- nils: how many vehicles are on the road?
select count(*) from fleet.vehicles where status = 'on the road';

-- nils: price by vehicle's make
select make, avg(price) from fleet.vehicles group by 1;

-- nils: which make has the most vehicles?
select make, count(*) from fleet.vehicles group by 1 order by 2 desc limit 1;

-- nils: which vehicle makes the most distance?
select vehicle_id, sum(distance) from fleet.trips group by 1 order by 2 desc limit 1;

-- # hospital

-- olga: which doctors never did a surgery?
select surname from ward.doctors d
where not exists (select from ward.surgeries s where s.doctor_id = d.doctor_id);

-- olga: which doctors did not do a surgery in 2024?
select surname from ward.doctors d where not exists (select from ward.surgeries s
where s.doctor_id = d.doctor_id and done_on >= '2024-01-01' and done_on < '2025-01-01');

-- olga: which doctors never did a spay?
select surname from ward.doctors d
where not exists (select from ward.surgeries s where s.doctor_id = d.doctor_id and operation = 'spay');

-- olga: which doctor has the fewest visits?
select d.surname, count(v.visit_id) from ward.doctors d left join ward.visits v using (doctor_id)
group by doctor_id, d.surname order by 2 limit 1;

-- olga: owners with fewer than 2 animals
select o.surname, count(a.animal_id) from ward.owners o left join ward.animals a using (owner_id)
group by owner_id, o.surname having count(a.animal_id) < 2;

-- olga: total amount of invoices by status
select status, sum(amount) from ward.invoices group by 1;

-- olga: total amount by status
select "Status" as status, sum("Total Amount") from ward."Bulk Orders" group by 1;

-- olga: total fee per doctor
select d.surname, sum(fee) from ward.visits join ward.doctors d using (doctor_id) group by doctor_id, d.surname;

-- olga: towns with more than 12 animals
select o.town, count(*) from ward.animals join ward.owners o using (owner_id) group by 1 having count(*) > 12;

-- lena: longest treatment
-- refused
