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

-- sven: how many trade.discs
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

-- tess: singers without chief Singer 1
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
