-- # ties

-- alice: top 5 franchises by revenue
-- from: bakehouse.transactions, bakehouse.franchises
select name, sum(total_price) from bakehouse.transactions join bakehouse.franchises using (franchise_id)
group by name order by 2 desc limit 5;

-- alice: show the 3 oldest franchises
select name, opened_on from bakehouse.franchises order by opened_on limit 3;

-- alice: bottom 3 products by revenue
select product, sum(total_price) from bakehouse.transactions group by product order by 2 limit 3;

-- alice: which franchise has the most reviews?
-- told
values ('1 other has the same number of reviews as the last one shown');

-- bob: which 5 employees had the highest salary in 2025?
select name, amount from hr.salaries join hr.employees using (employee_id) where year = 2025
order by amount desc limit 5;

-- # units of time

-- alice: revenue per month in 2025
select to_char(sold_at, 'YYYY-MM') as month, sum(total_price) from bakehouse.transactions
where sold_at >= '2025-01-01' and sold_at < '2026-01-01' group by 1;

-- alice: number of sales per quarter
select to_char(sold_at, 'YYYY-"Q"Q') as quarter, count(*) from bakehouse.transactions group by 1;

-- alice: number of sales per week in March 2025
select to_char(sold_at, 'IYYY-"W"IW') as week, count(*) from bakehouse.transactions
where sold_at >= '2025-03-01' and sold_at < '2025-04-01' group by 1;

-- alice: number of sales per day in March 2025
select to_char(sold_at, 'YYYY-MM-DD') as day, count(*) from bakehouse.transactions
where sold_at >= '2025-03-01' and sold_at < '2025-04-01' group by 1;

-- bob: how many employees were hired per year?
select extract(year from hired_on)::int as year, count(*) from hr.employees group by 1;

-- # values

-- alice: how many suppliers are there in Canada?
select count(*) from bakehouse.suppliers where country = 'Canada';

-- alice: Which country is Érablière Tremblay in?
-- told
select country from bakehouse.suppliers where name = 'Érablière Tremblay';

-- alice: revenue of Baker's Dozen
-- told
values ('I do not know what “Baker''s” means here');

-- bob: revenue in France
-- told
values ('There is no “France” among the rows of lakehouse.bakehouse.transactions that you may read');

-- # figures

-- alice: median rating per country
select country, percentile_cont(0.5) within group (order by rating) from bakehouse.reviews
join bakehouse.franchises using (franchise_id) group by country;

-- alice: average number of reviews per franchise
select avg(n) from (select count(review_id) as n from bakehouse.franchises left join bakehouse.reviews using (franchise_id)
group by franchise_id) as f;

-- alice: how many different products were sold?
select count(distinct product) from bakehouse.transactions;

-- alice: how many suppliers have no franchises?
select count(*) from bakehouse.suppliers s
where not exists (select from bakehouse.franchises f where f.supplier_id = s.supplier_id);

-- # names

-- alice: how many rows are in lakehouse.bakehouse.reviews?
-- from: bakehouse.reviews
select count(*) from bakehouse.reviews;

-- alice: how many rows are in bakehouse.reviews?
-- from: bakehouse.reviews
select count(*) from bakehouse.reviews;

-- bob: what's in hr.salaries?
-- told
values ('amount'), ('decimal');

-- alice: how many rows are in lakehouse.hr.salaries?
-- refused
select count(*) from hr.salaries;
