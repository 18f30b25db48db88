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

-- uma: how many vans have a limit
-- refused

-- uma: how many vans have an access
-- refused

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

-- uma: who does Anna Holm report to?
-- refused

-- uma: whom does Carl report to
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

-- uma: how many crates were sold?
-- refused

-- uma: which crates were sold
-- refused

-- uma: total price of rope
-- refused

-- uma: total quantity of rope sold
select sum(quantity) from quay.t_sales_pos where goods = 'rope';

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

-- uma: how many voyages to Oslo
-- refused

-- uma: how many voyages in Gdansk
-- refused

-- uma: how many voyages with shipper Fjord Fish
select count(*) from quay.loads where shipper_id = 1;

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

-- uma: how many voyages by vessel ordered by count
select vessel_name, count(*) from quay.voyages join quay.vessels using (vessel_id) group by 1;

-- uma: total miles by vessel ordered by number of voyages
-- refused

-- uma: total miles by vessel
-- then: sorted by number of voyages
-- refused

-- # added to the question before

-- uma: list the vessels
-- then: how many have a flag?
select count(*) from quay.vessels where flag is not null;

-- uma: how many crates per voyage
-- then: and the total?
select count(distinct crate_id) from quay.voyage_crates;
-- or
-- refused

-- uma: how many crates per voyage
-- then: total
select count(distinct crate_id) from quay.voyage_crates;
-- or
-- refused

-- uma: how many voyages per crate kind
-- then: and the average?
-- refused

-- # over a table that links two

-- uma: how many crates per voyage
select voyage_no, count(*) from quay.voyage_crates group by 1;

-- uma: how many voyages per crate kind
select kind, count(distinct voyage_no) from quay.voyage_crates join quay.crates using (crate_id) group by 1;
-- or
-- refused

-- uma: how many voyages per crate
select label, count(*) from quay.voyage_crates join quay.crates using (crate_id) group by 1;

-- uma: top 1 crate by voyages
select label, count(*) from quay.voyage_crates join quay.crates using (crate_id) group by 1 order by 2 desc limit 1;

-- uma: how many voyages have wood crates
select count(distinct voyage_no) from quay.voyage_crates join quay.crates using (crate_id) where kind = 'wood';

-- uma: crates without voyages
select label from quay.crates c where not exists (select 1 from quay.voyage_crates v where v.crate_id = c.crate_id);

-- uma: how many voyages without crates
select count(*) from quay.voyages v
where not exists (select 1 from quay.voyage_crates c where c.voyage_no = v.voyage_no);

-- uma: crates with more than 9 voyages
select label, count(*) from quay.voyage_crates join quay.crates using (crate_id) group by 1 having count(*) > 9;

-- uma: total miles per crate
-- refused

-- uma: how many vessels per crate
-- refused

-- # totals that are columns

-- uma: top 2 vessels by total
select vessel_name, sum(total) from quay.bills join quay.vessels using (vessel_id) group by 1 order by 2 desc limit 2;

-- uma: top 2 vessels by bill total
select vessel_name, sum(total) from quay.bills join quay.vessels using (vessel_id) group by 1 order by 2 desc limit 2;

-- uma: average total by vessel
select vessel_name, avg(total) from quay.bills join quay.vessels using (vessel_id) group by 1;

-- uma: sum of total
select sum(total) from quay.bills;

-- # the date that every row has

-- uma: how many bills in 2024
select count(*) from quay.bills where issued_on >= '2024-01-01' and issued_on < '2025-01-01';

-- uma: how many bills were paid in 2024
select count(*) from quay.bills where paid_on >= '2024-01-01' and paid_on < '2025-01-01';

-- uma: sum of total per year
select extract(year from issued_on)::int as year, sum(total) from quay.bills group by 1;

-- # yes or no of others

-- uma: how many vans are active?
-- refused

-- uma: how many active vans
-- refused

-- uma: how many active clerks
select count(*) from quay.clerks where active;

-- # values that hold marks, or words of the grammar

-- uma: how many charts of grade A-1
select count(*) from quay.charts where grade = 'A-1';

-- uma: how many B/2 charts
select count(*) from quay.charts where grade = 'B/2';

-- uma: how many charts by Ada May
select count(*) from quay.charts where maker = 'Ada May';

-- uma: how many voyages are under way?
select count(*) from quay.voyages where status = 'under way';

-- uma: total miles of voyages not under way
select sum(miles) from quay.voyages where status <> 'under way';

-- # nations of towns

-- uma: how many sheds in Chile
select count(*) from quay.sheds join quay.towns using (town_id) where nation_id = 1;

-- uma: towns in Ghana
select town from quay.towns where nation_id = 2;
