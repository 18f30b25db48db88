-- Questions near to which a wrong figure lies: each is answered rightly or refused. Most are about an airline, whose
-- flights point to two airports, and where nobody flew on some things and some people on nothing.

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
