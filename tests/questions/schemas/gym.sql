-- A gym. Keys, foreign keys and some comments.
create schema gym;

create table gym.trainers (
    id integer primary key,
    name text not null,
    hourly_rate numeric(6, 2) not null,
    certified boolean not null
);
create table gym.members (
    id integer primary key,
    name text not null,
    town text not null,
    plan text not null,
    monthly_fee numeric(6, 2) not null,
    joined_on date not null,
    cancelled_on date
);
comment on column gym.members.plan is 'Subscription: basic, plus or family';
comment on column gym.members.cancelled_on is 'Day the member left; empty for those who still come';
create table gym.courses (
    id integer primary key,
    title text not null,
    trainer_id integer not null references gym.trainers,
    level text not null,
    minutes integer not null
);
comment on table gym.courses is 'Classes that are offered';
comment on column gym.courses.minutes is 'Duration of one class';
create table gym.bookings (
    id integer primary key,
    course_id integer not null references gym.courses,
    member_id integer not null references gym.members,
    booked_for date not null,
    attended boolean not null,
    price_paid numeric(6, 2) not null
);
comment on table gym.bookings is 'Places that members booked in a class';
comment on column gym.bookings.price_paid is 'Income from the booking, in GBP';

insert into gym.trainers
select n, pg_temp.person(300 + n), 22 + n * 1.5, n % 3 > 0 from generate_series(1, 7) n;

insert into gym.members
select n, pg_temp.person(n * 9), pg_temp.pick(n, 'town', array['Cardiff', 'Swansea', 'Newport', 'Barry']),
    pg_temp.pick(n, 'plan', array['basic', 'plus', 'family']), 18 + pg_temp.dice(n, 'fee', 60) * 0.5, joined,
    case when pg_temp.dice(n, 'left', 4) = 0 then joined + 20 + pg_temp.dice(n, 'stay', 300) end
from generate_series(1, 110) n cross join lateral (select pg_temp.day(n, 'gym') as joined) j;

insert into gym.courses
select n, t, 1 + pg_temp.dice(n, 'trainer', 7), pg_temp.pick(n, 'level', array['beginner', 'advanced', 'expert']),
    30 + 15 * pg_temp.dice(n, 'minutes', 4)
from unnest(array['Yoga', 'Spinning', 'Pilates', 'Boxing', 'Zumba', 'Rowing', 'Crossfit', 'Stretching'])
with ordinality as c (t, n);

insert into gym.bookings
select n, 1 + floor(8 * (pg_temp.dice(n, 'course', 1000) / 1000.0) ^ 1.5), 1 + pg_temp.dice(n, 'member', 110),
    pg_temp.day(n, 'class'), pg_temp.dice(n, 'came', 5) > 0, 4 + pg_temp.dice(n, 'paid', 33) * 0.25
from generate_series(1, 800) n;
