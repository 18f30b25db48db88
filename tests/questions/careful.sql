-- Questions near to which a wrong figure lies: each is answered rightly or refused. Most are about an airline, whose
-- flights point to two airports each, and where some bookings have no bags and some passengers no bookings.

-- # none, all, the same

-- pia: how many bookings have no bags?
select count(*) from airline.bookings where bags = 0;

-- pia: flights without delay in 2024
select flight_number from airline.flights
where delay = 0 and departed_on >= '2024-01-01' and departed_on < '2025-01-01';

-- pia: how many bookings have zero bags
select count(*) from airline.bookings where bags = 0;

-- frida: how many loans had no fine?
select count(*) from lib.lns where fin = 0;

-- alice: shops in the same country as the Paris shop
-- refused

-- alice: which shops have the same size as Golden Crumb
-- refused

-- pia: flights on the same day
-- refused

-- pia: how many flights departed per day of the week?
-- refused

-- alice: revenue per day of the month in 2025
-- refused

-- pia: how many flights in 2024?
-- then: the same by status
select status, count(*) from airline.flights where departed_on >= '2024-01-01' and departed_on < '2025-01-01' group by 1;

-- pia: the fare of a booking
-- refused

-- pia: how many bookings does a passenger have?
-- refused

-- pia: what is the average number of seats of an aircraft?
select avg(seats) from airline.aircraft;

-- pia: which passengers booked every cabin?
-- refused

-- pia: passengers who have both economy and business bookings
-- refused

-- pia: how many passengers booked economy or business?
select count(distinct passenger_id) from airline.bookings where cabin in ('economy', 'business');

-- pia: flights where all bookings are checked in
-- refused

-- pia: passengers whose bookings are all business
-- refused

-- pia: have all passengers booked?
-- refused

-- alice: shops that sold every product
-- refused

-- pia: show all passengers from Spain
select name from airline.passengers where country = 'Spain';

-- pia: fare booked each month in 2025
select to_char(booked_on, 'YYYY-MM') as month, sum(fare) from airline.bookings
where booked_on >= '2025-01-01' and booked_on < '2026-01-01' group by 1;

-- pia: both the number of bookings and the total fare
select count(*) from airline.bookings;
select sum(fare) from airline.bookings;

-- # two keys to one table

-- pia: flights from Lisbon
-- refused

-- pia: number of flights by city
-- refused

-- pia: which airports have no flights?
-- refused

-- pia: which airport has the most flights?
-- refused

-- pia: flights by destination
select a.name, count(*) from airline.flights join airline.airports a on airport_id = destination_id group by 1;

-- pia: total fare by destination
select a.name, sum(fare) from airline.bookings join airline.flights using (flight_id)
join airline.airports a on airport_id = destination_id group by 1;

-- pia: most popular destination
select a.name, count(*) from airline.flights join airline.airports a on airport_id = destination_id
group by 1 order by 2 desc limit 1;

-- # days

-- alice: which day had the most sales
select sold_at::date, count(*) from bakehouse.transactions group by 1 order by 2 desc limit 1;

-- alice: on which day was the revenue highest?
select sold_at::date, sum(total_price) from bakehouse.transactions group by 1 order by 2 desc limit 1;

-- pia: which date has the most flights?
select departed_on, count(*) from airline.flights group by 1 order by 2 desc limit 1;

-- pia: what is the earliest booking date
select min(booked_on) from airline.bookings;

-- pia: latest booking date by cabin
select cabin, max(booked_on) from airline.bookings group by 1;

-- pia: latest flight date in 2024
select max(departed_on) from airline.flights where departed_on < '2025-01-01';

-- pia: first 5 passengers
-- refused

-- pia: how many passengers in 1980?
-- refused

-- pia: how many passengers were born in the 1980s?
select count(*) from airline.passengers where birth_date >= '1980-01-01' and birth_date < '1990-01-01';

-- # ratios and parts

-- pia: fare per kilometre
-- refused

-- pia: fare per bag
-- refused

-- pia: bookings by bags
select bags, count(*) from airline.bookings group by 1;

-- pia: average fare of the longest flights
-- refused

-- alice: average revenue of the top 5 shops
-- refused

-- alice: average price of the cheapest products
-- refused

-- pia: who has the most bookings?
-- then: how many?
-- refused

-- # kinds

-- pia: how many kinds of bookings are there?
-- refused

-- pia: what types of aircraft do we have?
select model from airline.aircraft;

-- alice: how many kinds of products are there?
select count(distinct product) from bakehouse.transactions;

-- # the highest

-- pia: what is the largest number of seats?
select max(seats) from airline.aircraft;

-- pia: the shortest distance
select min(distance) from airline.flights;

-- pia: most expensive booking
select fare, booked_on from airline.bookings order by fare desc limit 1;

-- pia: who paid the highest fare?
-- refused

-- pia: which cabin has the highest total fare?
select cabin, sum(fare) from airline.bookings group by 1 order by 2 desc limit 1;

-- pia: highest fare by cabin
select cabin, max(fare) from airline.bookings group by 1;

-- # times

-- pia: which passengers booked more than 20 times?
select name, count(*) from airline.bookings join airline.passengers using (passenger_id)
group by passenger_id, name having count(*) > 20;

-- kofi: customers who ordered more than 5 times
select name, count(*) from gallery.orders join gallery.customers using (customer_id)
group by customer_id, name having count(*) > 5;

-- alice: which shops were reviewed twice?
select name, count(*) from bakehouse.reviews join bakehouse.franchises using (franchise_id)
group by franchise_id, name having count(*) = 2;

-- alice: suppliers reviewed once
-- refused

-- alice: products sold more than 1000 times
-- refused

-- pia: passengers with zero bookings
select name from airline.passengers p where not exists (select from airline.bookings b where b.passenger_id = p.passenger_id);

-- olga: animals with only one visit
select name, count(*) from ward.visits join ward.animals using (animal_id) group by animal_id, name having count(*) = 1;

-- # counting groups

-- pia: how many passengers have more than 20 bookings?
select count(*) from (select from airline.bookings group by passenger_id having count(*) > 20);

-- pia: how many passengers have fewer than 3 bookings?
select count(*) from airline.passengers p
where (select count(*) from airline.bookings b where b.passenger_id = p.passenger_id) < 3;

-- alice: how many shops have at least 3 reviews in 2025?
select count(*) from (select from bakehouse.reviews where reviewed_on >= '2025-01-01' and reviewed_on < '2026-01-01'
group by franchise_id having count(*) >= 3);

-- pia: how many passengers have more than 20 bookings?
-- then: and more than 30?
-- refused

-- pia: average number of bookings per passenger
select count(*) / 90.0 from airline.bookings;

-- pia: how many bookings per passenger on average?
select count(*) / 90.0 from airline.bookings;

-- pia: average number of bookings per passenger in 2024
select count(*) / 90.0 from airline.bookings where booked_on >= '2024-01-01' and booked_on < '2025-01-01';

-- pia: average number of bookings per passenger from Spain
select count(booking_id) * 1.0 / count(distinct passenger_id)
from airline.passengers left join airline.bookings using (passenger_id) where country = 'Spain';

-- pia: average number of flights per month in 2024
select count(*) / 12.0 from airline.flights where departed_on >= '2024-01-01' and departed_on < '2025-01-01';

-- pia: average number of bags per booking
select avg(bags) from airline.bookings;

-- juno: average number of tickets per screening
select count(*) * 1.0 / (select count(*) from cinema.screening) from cinema.ticket;

-- juno: average number of screenings per film by language
-- refused

-- pia: average number of bookings
-- refused

-- # adjectives

-- pia: number of delayed flights
-- refused

-- pia: 10 longest flights
select flight_number, distance from airline.flights order by distance desc limit 10;

-- pia: which aircraft has the largest number of seats?
select model, seats from airline.aircraft order by seats desc limit 1;

-- pia: flights with a delay
-- refused

-- pia: flights with a delay over 55
select flight_number, delay from airline.flights where delay > 55;

-- pia: number of days with bookings
-- refused

-- pia: different makers
select distinct maker from airline.aircraft;

-- pia: fare in £
-- refused

-- pia: fare in $ by cabin
-- refused

-- pia: total fare in € by cabin
select cabin, sum(fare) from airline.bookings group by 1;

-- pia: did every passenger book?
-- refused

-- # only

-- pia: passengers who only booked business
-- refused

-- pia: how many passengers only booked economy?
-- refused

-- kofi: customers who only ordered in 2024
-- refused

-- pia: only gold passengers from Spain
select name from airline.passengers where tier = 'gold' and country = 'Spain';

-- pia: average fare for gold passengers only
select avg(fare) from airline.bookings join airline.passengers using (passenger_id) where tier = 'gold';

-- pia: how many passengers booked in both 2024 and 2025?
-- refused

-- # of each

-- pia: number of seats on flight MO101
-- refused

-- pia: cheapest booking in each cabin
select cabin, min(fare) from airline.bookings group by 1;

-- pia: top 3 bookings by fare in each cabin
-- refused

-- pia: which month had the highest fare in 2024?
-- refused

-- alice: which month had the highest rating?
select to_char(reviewed_on, 'YYYY-MM') as month, avg(rating) from bakehouse.reviews group by 1 order by 2 desc limit 1;

-- kofi: which artist has the highest asking price?
-- refused

-- kofi: total amount per customer above 5000
select c.name, sum(amount) from gallery.orders join gallery.customers c using (customer_id)
group by customer_id, c.name having sum(amount) > 5000;

-- emil: doctor with the lowest average fee
select d.full_name, avg(fee) from clinic.appointments join clinic.doctors d using (doctor_id)
group by 1 order by 2 limit 1;

-- hana: value of moves by month in 2024
select to_char(dt, 'YYYY-MM') as month, sum(amt) from depot.moves where dt >= '2024-01-01' and dt < '2025-01-01' group by 1;

-- pia: how many fares are there?
-- refused

-- frida: how many books are on loan?
-- refused

-- alice: which shop opened first?
select name, opened_on from bakehouse.franchises order by opened_on limit 1;

-- alice: how many countries have more than 3 shops?
select count(*) from (select from bakehouse.franchises group by country having count(*) > 3);

-- alice: shops where every review has 5 stars
-- refused

-- alice: which products are sold in France but not in Japan?
-- refused

-- alice: most popular product in each country
-- refused

-- bob: highest paid employee per department
-- refused

-- alice: sales in euros by country
-- refused

-- alice: how many sales were above 100 euros?
select count(*) from bakehouse.transactions where total_price > 100;

-- alice: median revenue per shop
-- refused

-- alice: average revenue per sale
select avg(total_price) from bakehouse.transactions;

-- pia: number of passengers who booked in 2024
select count(distinct passenger_id) from airline.bookings where booked_on >= '2024-01-01' and booked_on < '2025-01-01';

-- pia: bookings where the cabin is first
-- refused

-- # orders

-- pia: airports alphabetically
select name from airline.airports order by name collate "C";

-- pia: aircraft largest first
-- refused

-- pia: first 3 aircraft by seats, largest first
-- refused

-- pia: aircraft by number of seats
select model, seats from airline.aircraft;

-- pia: gold passengers by number of bags
select name, sum(bags) from airline.bookings join airline.passengers using (passenger_id)
where tier = 'gold' group by 1;

-- pia: last 3 bookings by fare
-- refused

-- # follow-ups

-- pia: how many flights landed in 2024?
-- then: which of them had a delay above 30?
select flight_number, delay from airline.flights
where status = 'landed' and delay > 30 and departed_on >= '2024-01-01' and departed_on < '2025-01-01';

-- pia: list the aircraft
-- then: the first one?
-- refused

-- pia: top 3 flights by distance
-- then: the last one?
-- refused

-- pia: when was the last booking?
-- then: and the first in 2024?
select min(booked_on) from airline.bookings where booked_on >= '2024-01-01';

-- pia: list the aircraft of Airbus
-- then: which has the most seats?
select model, seats from airline.aircraft where maker = 'Airbus' order by seats desc limit 1;

-- pia: passengers from Spain
-- then: which are gold?
-- then: how many bookings did they make in 2024?
select count(*) from airline.bookings join airline.passengers using (passenger_id)
where country = 'Spain' and tier = 'gold' and booked_on >= '2024-01-01' and booked_on < '2025-01-01';

-- alice: average rating by shop in 2025
-- then: and the number of reviews?
select name, count(*) from bakehouse.reviews join bakehouse.franchises using (franchise_id)
where reviewed_on >= '2025-01-01' and reviewed_on < '2026-01-01' group by franchise_id, name;

-- alice: which day had the most sales?
-- then: and the revenue on that day?
-- refused

-- alice: which shop had the most sales?
-- then: how many reviews does that shop have?
-- refused

-- alice: how many shops are in Paris?
-- then: how many reviews does that shop have?
select count(*) from bakehouse.reviews join bakehouse.franchises using (franchise_id) where city = 'Paris';

-- alice: revenue by country
-- then: excluding Japan
-- then: and France
-- refused

-- # values beside their column

-- alice: how many rating 5 reviews are there?
select count(*) from bakehouse.reviews where rating = 5;

-- alice: how many quantity 3 transactions?
select count(*) from bakehouse.transactions where quantity = 3;

-- alice: how many small size franchises are there?
select count(*) from bakehouse.franchises where size = 'small';

-- alice: how many Europe continent suppliers
select count(*) from bakehouse.suppliers where continent = 'Europe';

-- alice: how many cash payment method transactions in 2024
select count(*) from bakehouse.transactions
where payment_method = 'cash' and sold_at >= '2024-01-01' and sold_at < '2025-01-01';

-- rosa: how many high priority work orders are due in March 2025?
select count(*) from wind.work_orders
where priority = 'high' and due_on >= '2025-03-01' and due_on < '2025-04-01';

-- rosa: how many high priority work orders are due in March 2025?
-- then: and low?
select count(*) from wind.work_orders
where priority = 'low' and due_on >= '2025-03-01' and due_on < '2025-04-01';

-- rosa: how many high or medium priority work orders are there?
select count(*) from wind.work_orders where priority in ('high', 'medium');

-- rosa: how many are high priority?
select count(*) from wind.work_orders where priority = 'high';

-- rosa: how many North region turbines are there?
select count(*) from wind.turbines join wind.sites using (site_id) where region = 'North';

-- rosa: how many support kind visits
select count(*) from wind.visits where kind = 'support';

-- rosa: list the high priority work orders due in March 2025
select due_on, cost from wind.work_orders
where priority = 'high' and due_on >= '2025-03-01' and due_on < '2025-04-01';

-- rosa: how many purple priority work orders are there?
-- refused

-- quin: how many credits 4 courses are there?
select count(*) from campus.courses where credits = 4;

-- quin: how many undergraduate level credits 4 courses are there?
select count(*) from campus.courses where credits = 4 and level = 'undergraduate';

-- quin: how many credits 4 undergraduate level courses are there?
select count(*) from campus.courses where credits = 4 and level = 'undergraduate';

-- quin: how many last name Kim students
select count(*) from campus.students where last_name = 'Kim';

-- quin: how many full professors are there?
select count(*) from campus.professors where rank = 'full';

-- quin: how many full rank professors are in Botany?
select count(*) from campus.professors join campus.departments using (department_id)
where rank = 'full' and name = 'Botany';

-- quin: list the full professors
select full_name, rank from campus.professors where rank = 'full';

-- quin: how many half professors are there?
-- refused

-- # follow-ups that keep what was asked

-- alice: how many transactions?
-- then: in Germany
-- then: in 2024
-- then: average total price
select avg(total_price) from bakehouse.transactions join bakehouse.franchises using (franchise_id)
where country = 'Germany' and sold_at >= '2024-01-01' and sold_at < '2025-01-01';

-- alice: how many transactions?
-- then: in Germany
-- then: in 2024
-- then: average total price
-- then: and the highest?
select max(total_price) from bakehouse.transactions join bakehouse.franchises using (franchise_id)
where country = 'Germany' and sold_at >= '2024-01-01' and sold_at < '2025-01-01';

-- alice: how many transactions in Germany in 2024?
-- then: highest total price
select max(total_price) from bakehouse.transactions join bakehouse.franchises using (franchise_id)
where country = 'Germany' and sold_at >= '2024-01-01' and sold_at < '2025-01-01';

-- alice: how many transactions in Germany?
-- then: revenue
select sum(total_price) from bakehouse.transactions join bakehouse.franchises using (franchise_id)
where country = 'Germany';

-- alice: how many transactions in Germany?
-- then: average continent
-- refused

-- rosa: mwh by region
-- then: for V112 turbines
select region, sum(mwh) from wind.production join wind.turbines using (turbine_id) join wind.sites using (site_id)
where model = 'V112' group by 1;

-- rosa: total mwh
-- then: for V112 turbines
select sum(mwh) from wind.production join wind.turbines using (turbine_id) where model = 'V112';

-- rosa: mwh by region
-- then: with high priority work orders
-- refused

-- # columns called count

-- quin: sum of count in lectures
select sum(count) from campus.lectures;

-- quin: sum of the count of lectures in room A1
select sum(count) from campus.lectures where room = 'A1';

-- quin: average count by room
select room, avg(count) from campus.lectures group by 1;

-- quin: count of lectures by room
select room, count(*) from campus.lectures group by 1;

-- # people of one name, and none at all

-- quin: how many students per advisor?
select prof_id, full_name, count(*) from campus.students left join campus.professors on prof_id = advisor_id group by 1, 2;

-- quin: courses per professor
select prof_id, full_name, count(*) from campus.courses join campus.professors on prof_id = professor_id group by 1, 2;

-- quin: list the full professors
select prof_id, full_name from campus.professors where rank = 'full';

-- rosa: top 5 turbines by mwh
select turbine_id, model, sum(mwh) from wind.production join wind.turbines using (turbine_id)
group by 1, 2 order by 3 desc limit 5;

-- rosa: list the V112 turbines
select turbine_id, model from wind.turbines where model = 'V112';

-- quin: number of students by department
select name, count(*) from campus.students left join campus.departments using (department_id) group by 1;

-- quin: departments with more than 80 students
select name, count(*) from campus.students join campus.departments using (department_id)
group by 1 having count(*) > 80;

-- quin: which department has the most students?
select name, count(*) from campus.students join campus.departments using (department_id)
group by 1 order by 2 desc limit 1;

-- # how many, beside a column

-- alice: how many rating above 3 reviews are there?
select count(*) from bakehouse.reviews where rating > 3;

-- rosa: how many priority high or medium work orders are there?
select count(*) from wind.work_orders where priority in ('high', 'medium');

-- alice: franchises in Germany
-- then: revenue
select sum(total_price) from bakehouse.transactions join bakehouse.franchises using (franchise_id)
where country = 'Germany';
