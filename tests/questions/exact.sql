-- Every word of a question is accounted for by the answer, or the answer says that it cannot. All are about a trading
-- house.

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
