-- Questions about a shipping company: who does what, what has something, and what was done or not.

-- # those that have one

-- uma: how many voyages have a captain?
select count(*) from quay.voyages where captain_id is not null;

-- uma: voyages with a captain
select miles from quay.voyages where captain_id is not null;

-- uma: how many sailors have an email
select count(*) from quay.sailors where email is not null;

-- uma: vessels with a flag
select vessel_name from quay.vessels where flag is not null;

-- uma: vessels with their flag
select vessel_name, flag from quay.vessels;

-- uma: how many sales with a payer
select count(*) from quay.t_sales_hdr where payer is not null;

-- uma: how many voyages with a vessel
select count(*) from quay.voyages;

-- uma: vessels with voyages
select distinct vessel_name from quay.vessels join quay.voyages using (vessel_id);

-- # people of two names

-- uma: how many sailors report to Anna Lund?
select count(*) from quay.sailors
where reports_to in (select sailor_id from quay.sailors where first_name = 'Anna' and last_name = 'Lund');

-- uma: how many voyages with captain Bo Lund
select count(*) from quay.voyages join quay.sailors on sailor_id = captain_id
where first_name = 'Bo' and last_name = 'Lund';

-- uma: total miles of voyages with captain Anna Holm
select sum(miles) from quay.voyages join quay.sailors on sailor_id = captain_id
where first_name = 'Anna' and last_name = 'Holm';

-- uma: how many captains are there?
-- refused

-- # sold or not

-- uma: how many vessels were sold?
select count(*) from quay.vessels where sold_on is not null;

-- uma: how many Norway vessels were sold
select count(*) from quay.vessels where flag = 'Norway' and sold_on is not null;

-- uma: how many Panama vessels were not sold
select count(*) from quay.vessels where flag = 'Panama' and sold_on is null;

-- uma: how many sold vessels
select count(*) from quay.vessels where sold_on is not null;

-- uma: how many sales are not closed
select count(*) from quay.t_sales_hdr where closed is null;

-- # what is counted

-- uma: how many sales
select count(*) from quay.t_sales_hdr;

-- uma: how many sales by payer
select payer, count(*) from quay.t_sales_hdr group by 1;

-- uma: how many updates
-- refused

-- # places that more than one key leads to

-- uma: how many voyages in Norway
-- refused

-- uma: how many voyages with flag Norway
select count(*) from quay.voyages join quay.vessels using (vessel_id) where flag = 'Norway';

-- # years beside dates of housekeeping

-- uma: how many charts in 2008
select count(*) from quay.charts where release_year = 2008;

-- uma: how many charts per year
select release_year as year, count(*) from quay.charts group by 1;

-- # sorted by what was counted

-- uma: how many voyages by vessel
-- then: sorted by count
select vessel_name, count(*) from quay.voyages join quay.vessels using (vessel_id) group by 1;

-- uma: total miles by vessel
-- then: sorted by count
-- refused
