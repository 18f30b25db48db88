-- Every word of a question is accounted for by the answer, or the answer says that it cannot. Most are about a trading
-- house and a coach company.

-- # words that usually say nothing

-- sven: how many depots in IN
select count(*) from trade.depots where state = 'IN';

-- sven: how many depots are in ME?
select count(*) from trade.depots where state = 'ME';

-- sven: total rent of depots in ok
select sum(rent) from trade.depots where state = 'OK';

-- sven: how many depots in
-- refused

-- sven: how many repairs in OR?
-- refused

-- sven: how many A depots
select count(*) from trade.depots where grade = 'A';

-- sven: how many depots have an A?
select count(*) from trade.depots where grade = 'A';

-- sven: how many grade B depots
select count(*) from trade.depots where grade = 'B';

-- sven: total rent of grade I
select sum(rent) from trade.depots where grade = 'I';

-- sven: total plays of Now
select sum(plays) from trade.discs where band = 'Now';

-- sven: total plays for Please
select sum(plays) from trade.discs where band = 'Please';

-- sven: total plays in Any
select sum(plays) from trade.discs where band = 'Any';

-- sven: average plays of OK discs
select avg(plays) from trade.discs where mood = 'OK';

-- sven: how many just discs
select count(*) from trade.discs where mood = 'just';

-- sven: how many live discs
-- refused

-- sven: how many registered discs
-- refused

-- sven: how many over discs
-- refused

-- sven: how many trade discs
-- refused

-- sven: count the rows of trade.discs
select count(*) from trade.discs;

-- sven: how many rows are recorded in discs
select count(*) from trade.discs;

-- sven: please tell me how many discs there are now, thanks
select count(*) from trade.discs;

-- sven: ok, list ALL depots in HI for me please
select depot_name from trade.depots where state = 'HI';

-- # currencies

-- sven: how many accounts in USD
select count(*) from trade.accounts where currency = 'USD';

-- sven: how many EUR accounts
select count(*) from trade.accounts where currency = 'EUR';

-- sven: total balance of overdrawn accounts in euros
select sum(balance) from trade.accounts where overdrawn and currency = 'EUR';

-- sven: total balance in EUR and USD
select sum(balance) from trade.accounts where currency in ('EUR', 'USD');

-- sven: how many accounts with a balance over 100 USD
-- refused

-- sven: total rent in EUR
-- refused

-- sven: total cost in EUR
select sum(cost_eur) from trade.repairs;

-- sven: total cost in dollars
-- refused

-- alice: total salary in USD
-- refused

-- bob: total salary in USD
-- refused

-- # keys that are none

-- sven: how many article sales of Lamp
select count(*) from trade.article_sales where article_id = 1;

-- sven: total pieces of wood article sales
select sum(pieces) from trade.article_sales where article_id in (2, 3);

-- sven: total pieces by article id
select article_id, sum(pieces) from trade.article_sales group by 1;

-- sven: total pieces by category
-- refused

-- sven: top 2 articles by pieces
-- refused

-- sven: how many article sales were not of Lamp
-- refused

-- sven: how many wood Lamp article sales
-- refused

-- sven: how many article sales of Lamp
-- then: and of Desk or Rug?
select count(*) from trade.article_sales where article_id in (2, 4);

-- sven: total outlay of purchases in Graz
select sum(outlay_eur) from trade.purchases where office_code = 'A';

-- sven: total outlay of purchases by town
-- refused

-- sven: total kilos of parcels by crate kind
select crate_kind, sum(kilos) from trade.parcels join trade.crates using (crate_code) group by 1;

-- # nobody there

-- tess: total toll by hub
select hub_name, sum(toll) from tours.trips join tours.drivers using (driver_id) left join tours.hubs using (hub_id)
group by 1;

-- tess: how many trips by hub
select hub_name, count(*) from tours.trips join tours.drivers using (driver_id) left join tours.hubs using (hub_id)
group by 1;

-- tess: how many hubs by driver
select driver_name, count(hub_id) from tours.drivers group by 1;
-- or
-- refused

-- tess: which hub has the highest total toll?
select hub_name, sum(toll) from tours.trips join tours.drivers using (driver_id) join tours.hubs using (hub_id)
group by 1 order by 2 desc limit 1;

-- # of the thing itself

-- tess: most expensive pass
select label, monthly_fee from tours.passes order by monthly_fee desc limit 1;

-- tess: what is the cheapest pass?
select label from tours.passes order by monthly_fee limit 1;

-- tess: oldest singer
select full_name, age from tours.singers order by age desc limit 1;

-- tess: who is the youngest singer of Crew 2?
select full_name from tours.singers where crew_id = 2 order by age limit 1;

-- tess: oldest holder
-- refused

-- tess: how many star holders
select count(*) from tours.star_holders;

-- # records and logs

-- tess: how many rides were there?
select count(*) from tours.ride_records;

-- tess: how many rides by ride type
select ride_type, count(*) from tours.ride_records group by 1;

-- tess: how many rides were cut short?
select count(*) from tours.ride_records where cut_short;

-- tess: how many rides with a cost above 10
select count(*) from tours.ride_records where cost > 10;

-- tess: how many glove sizes
-- refused

-- tess: how many fines
-- refused

-- tess: how many stars do the holders have?
select sum(stars) from tours.holders;
-- or
-- refused

-- # persons, not their dates

-- tess: singers who joined in 2022
select full_name from tours.singers where joined >= '2022-01-01' and joined < '2023-01-01';

-- tess: how many singers who joined in 2021
select count(*) from tours.singers where joined >= '2021-01-01' and joined < '2022-01-01';

-- tess: who joined first?
select full_name from tours.singers order by joined limit 1;

-- tess: what is the latest joined
select max(joined) from tours.singers;

-- tess: singers with chief Singer 1
select full_name from tours.singers where chief_id = 1;

-- tess: average age of singers whose chief is Singer 2
select avg(age) from tours.singers where chief_id = 2;

-- tess: how many singers without chief Singer 1
-- refused

-- tess: top 2 towns by number of holders
select town, count(*) from tours.holders where town is not null group by 1 order by 2 desc, 1 limit 2;

-- tess: which town has the most rides?
select town, count(*) from tours.ride_records join tours.holders using (holder_id) where town is not null
group by 1 order by 2 desc limit 1;

-- sven: depots with high rent
-- refused

-- sven: crates of high kind
-- refused

-- sven: high priority crates
-- refused

-- # added to the question before

-- tess: how many rides by ride type
-- then: and by town too
select ride_type, town, count(*) from tours.ride_records join tours.holders using (holder_id) group by 1, 2;

-- tess: total cost by ride type
-- then: also by cut short
select ride_type, cut_short, sum(cost) from tours.ride_records group by 1, 2;

-- tess: total cost by ride type
-- then: and by cut short
select cut_short, sum(cost) from tours.ride_records group by 1;

-- tess: total cost by ride type
-- then: count instead
select ride_type, count(*) from tours.ride_records group by 1;

-- tess: average cost by ride type
-- then: and the total
select ride_type, sum(cost) from tours.ride_records group by 1;

-- tess: total cost by ride type
-- then: and the total
select sum(cost) from tours.ride_records;

-- # what is left out is said

-- tess: how many holders are not in Graz?
-- told
select count(*), 'neither Graz nor empty' from tours.holders where town <> 'Graz';

-- tess: how many holders are in neither Graz nor Linz?
-- refused

-- tess: how many trips not at East Hub
-- told
select count(*), 'neither East Hub nor empty' from tours.trips
join tours.drivers using (driver_id) join tours.hubs using (hub_id) where hub_name <> 'East Hub';

-- sven: how many discs not by The Owls
-- told
select count(*), 'band is not The Owls' from trade.discs where band <> 'The Owls';

-- tess: average pressure
-- told
select 'not a number';

-- # ages and large numbers

-- tess: how many singers are older than 40?
select count(*) from tours.singers where age > 40;

-- tess: singers of Crew 3 younger than 30
select full_name from tours.singers where crew_id = 3 and age < 30;

-- tess: how many singers are at least 45 years old?
select count(*) from tours.singers where age >= 45;

-- tess: how many singers are not older than 30 years?
select count(*) from tours.singers where age <= 30;

-- tess: how old is Singer 5?
select age from tours.singers where full_name = 'Singer 5';

-- tess: how many singers are older than 300 days
-- refused

-- tess: holders older than 30
-- refused

-- tess: how many rides with a cost above .5
select count(*) from tours.ride_records where cost > .5;

-- sven: how many depots with a rent above 2k
select count(*) from trade.depots where rent > 2000;

-- sven: how many depots with a rent below 1 million
select count(*) from trade.depots where rent < 1000000;

-- sven: how many depots in ME or HI
select count(*) from trade.depots where state in ('ME', 'HI');

-- sven: how many depots in IT?
-- refused

-- sven: how many depots in OR?
-- refused

-- # the date of the question before, and rows that rank

-- ivo: how many members cancelled in 2024?
-- then: and in 2025?
select count(*) from gym.members where cancelled_on >= '2025-01-01' and cancelled_on < '2026-01-01';

-- ivo: how many members cancelled in 2024?
-- then: by month
select to_char(cancelled_on, 'YYYY-MM') as month, count(*) from gym.members
where cancelled_on >= '2024-01-01' and cancelled_on < '2025-01-01' group by 1 order by 1;

-- tess: top 1 pass by holders
select label, count(*) from tours.holders join tours.passes using (pass_code) group by 1 order by 2 desc limit 1;

-- alice: top 1 countries by franchises
select country, count(*) from bakehouse.franchises group by 1 order by 2 desc fetch first 1 rows with ties;
-- or
-- refused

-- tess: top 2 singers by crews
-- refused

-- # done or not

-- ivo: how many members have not cancelled?
select count(*) from gym.members where cancelled_on is null;

-- ivo: how many members cancelled by town
select town, count(*) from gym.members where cancelled_on is not null group by 1;

-- sven: claims that were not closed
select opened_on from trade.claims where closed_on is null;

-- ivo: how many members cancelled in 2024
select count(*) from gym.members where cancelled_on >= '2024-01-01' and cancelled_on < '2025-01-01';

-- ivo: how many members did not cancel in 2024
-- refused

-- ivo: how many members were cancelled by Yoga
-- refused

-- sven: how many claims are open?
-- refused

-- sven: how many claims were closed?
select count(*) from trade.claims where closed_on is not null;

-- sven: total refund of claims not closed
select sum(refund::numeric) from trade.claims where closed_on is null;

-- # money

-- sven: average refund
select avg(refund::numeric) from trade.claims;

-- sven: how many claims with a refund above 25?
select count(*) from trade.claims where refund > 25::money;

-- sven: highest refund
select max(refund::numeric) from trade.claims;

-- sven: claim with the lowest refund
select claim_id, refund::numeric from trade.claims order by refund limit 1;

-- # what stands for a code, and words that are values of a column named before

-- tess: how many halts per stop
select stop_nm, count(*) from tours.halts join tours.stops using (stop) group by 1;

-- tess: which stop has the most halts?
select stop_nm, count(*) from tours.halts join tours.stops using (stop) group by 1 order by 2 desc limit 1;

-- sven: how many discs with mood just
select count(*) from trade.discs where mood = 'just';

-- sven: how many discs with band Any
select count(*) from trade.discs where band = 'Any';

-- sven: how many discs with band none
-- refused

-- sven: how many discs by Them
-- refused

-- sven: which depots are in HI please
select depot_name from trade.depots where state = 'HI';

-- sven: list depots with rent descending
select depot_name, rent from trade.depots order by rent desc;
