-- A public library: short names, and comments that say what they mean.
create schema lib;
comment on schema lib is 'A public library';

create table lib.itm (
    itm_no integer primary key,
    ttl text not null,
    aut text not null,
    gnr text not null,
    pgs integer not null,
    prc numeric(6, 2) not null,
    acq date not null
);
comment on table lib.itm is 'Books of the library';
comment on column lib.itm.itm_no is 'Number of the book';
comment on column lib.itm.ttl is 'Title of the book';
comment on column lib.itm.aut is 'Author of the book';
comment on column lib.itm.gnr is 'Genre, such as crime or poetry';
comment on column lib.itm.pgs is 'Number of pages';
comment on column lib.itm.prc is 'Purchase price, in EUR';
comment on column lib.itm.acq is 'Day the book was bought';

create table lib.mbr (
    mbr_no integer primary key,
    nm text not null,
    brn text not null,
    jnd date not null
);
comment on table lib.mbr is 'Members of the library, who may borrow books';
comment on column lib.mbr.mbr_no is 'Number of the member';
comment on column lib.mbr.nm is 'Name of the member';
comment on column lib.mbr.brn is 'Branch where the member is registered';
comment on column lib.mbr.jnd is 'Day the member joined';

create table lib.lns (
    lns_no integer primary key,
    itm_no integer not null references lib.itm,
    mbr_no integer not null references lib.mbr,
    tkn date not null,
    rtd date,
    fin numeric(6, 2) not null
);
comment on table lib.lns is 'Loans: which member borrowed which book';
comment on column lib.lns.lns_no is 'Number of the loan';
comment on column lib.lns.itm_no is 'Book that was borrowed';
comment on column lib.lns.mbr_no is 'Member who borrowed it';
comment on column lib.lns.tkn is 'Day the loan began';
comment on column lib.lns.rtd is 'Day the book came back; empty while it is still out';
comment on column lib.lns.fin is 'Fine for bringing it back late, in EUR';

insert into lib.itm
select n, title, pg_temp.pick(n, 'author', array['R. Ashdown', 'T. Bellamy', 'I. Corvo', 'M. Drake', 'L. Eriksen']),
    pg_temp.pick(n, 'genre', array['crime', 'fantasy', 'history', 'poetry', 'travel']),
    90 + pg_temp.dice(n, 'pages', 620), 6 + pg_temp.dice(n, 'price', 2900) / 100.0, pg_temp.day(n, 'bought')
from unnest(array[
    'The Salt Road', 'Seven Locks', 'Winter Ferry', 'A Map of Ash', 'The Quiet Quarry', 'Lanterns', 'Under the Weir',
    'The Last Cartographer', 'Copper Rain', 'Orchard Wall', 'The Tin Regent', 'Nine Bridges', 'Low Tide Letters',
    'The Glass Ledger', 'Hollow Crown', 'Northbound', 'The Bell Founder', 'Moth Season', 'The Ninth Clerk', 'Driftwood',
    'A Short Reign', 'The Ropewalk', 'Marrow Lane', 'Sparrow Court', 'The Chalk Line', 'Harvest Moon Inn',
    'Out of Kilter', 'The Paper Fleet', 'Stone Fruit', 'The Understudy'
]) with ordinality as b (title, n);

insert into lib.mbr
select n, pg_temp.person(n * 11), pg_temp.pick(n, 'branch', array['Central', 'Harbour Street', 'Eastgate', 'Mill Lane']),
    pg_temp.day(n, 'joined')
from generate_series(1, 75) n;

insert into lib.lns
select n, 1 + floor(30 * (pg_temp.dice(n, 'book', 1000) / 1000.0) ^ 1.5), 1 + pg_temp.dice(n, 'member', 75), tkn,
    case when pg_temp.dice(n, 'out', 12) > 0 then tkn + 3 + pg_temp.dice(n, 'days', 40) end,
    case when pg_temp.dice(n, 'late', 5) = 0 then pg_temp.dice(n, 'fine', 90) / 10.0 else 0 end
from generate_series(1, 640) n cross join lateral (select pg_temp.day(n, 'taken') as tkn) taken;
