-- Who may read the sample data. Run as lakehouse_owner, once, after it was loaded.

-- alice reads all of bakehouse.
grant usage on schema bakehouse to alice;
grant select on all tables in schema bakehouse to alice;

-- bob reads hr, and of bakehouse what belongs to the Netherlands.
grant usage on schema bakehouse, hr to bob;
grant select on all tables in schema bakehouse, hr to bob;

-- carol reads nothing.

alter table bakehouse.suppliers enable row level security;
alter table bakehouse.franchises enable row level security;
alter table bakehouse.transactions enable row level security;
alter table bakehouse.reviews enable row level security;

create policy whole on bakehouse.suppliers for select to alice using (true);
create policy whole on bakehouse.franchises for select to alice using (true);
create policy whole on bakehouse.transactions for select to alice using (true);
create policy whole on bakehouse.reviews for select to alice using (true);

create policy own_country on bakehouse.suppliers for select to bob using (country = 'Netherlands');
create policy own_country on bakehouse.franchises for select to bob using (country = 'Netherlands');
create policy own_country on bakehouse.transactions for select to bob using (
    franchise_id in (select franchise_id from bakehouse.franchises where country = 'Netherlands')
);
create policy own_country on bakehouse.reviews for select to bob using (
    franchise_id in (select franchise_id from bakehouse.franchises where country = 'Netherlands')
);
