-- A campus: values that are words of names, people of one name, keys that may be empty, a column called count.
create schema campus;

create table campus.departments (
    department_id integer primary key,
    name text not null
);
create table campus.professors (
    prof_id integer primary key,
    full_name text not null,
    rank text not null,
    department_id integer not null references campus.departments
);
create table campus.students (
    student_id integer primary key,
    first_name text not null,
    last_name text not null,
    department_id integer references campus.departments,
    advisor_id integer references campus.professors,
    level text not null
);
create table campus.courses (
    course_id integer primary key,
    title text not null,
    level text not null,
    credits integer not null,
    professor_id integer not null references campus.professors
);
create table campus.lectures (
    lecture_id integer primary key,
    course_id integer not null references campus.courses,
    held_on date not null,
    room text not null,
    count integer not null
);

insert into campus.departments values (1, 'Physics'), (2, 'History'), (3, 'Botany'), (4, 'Law');

insert into campus.professors
select n, pg_temp.person(n % 21 * 19), pg_temp.pick(n, 'rank', array['assistant', 'associate', 'full']), 1 + n % 4
from generate_series(1, 30) n;

insert into campus.students
select n, split_part(pg_temp.person(n * 7), ' ', 1), pg_temp.pick(n, 'last', array['Kim', 'Novak', 'Reyes', 'Sato']),
    nullif(pg_temp.dice(n, 'department', 5), 0), nullif(pg_temp.dice(n, 'advisor', 31), 0),
    pg_temp.pick(n, 'level', array['undergraduate', 'graduate'])
from generate_series(1, 400) n;

insert into campus.courses
select n, 'Course ' || n, pg_temp.pick(n, 'level', array['undergraduate', 'graduate']),
    2 + pg_temp.dice(n, 'credits', 4), 1 + pg_temp.dice(n, 'professor', 30)
from generate_series(1, 60) n;

insert into campus.lectures
select n, 1 + pg_temp.dice(n, 'course', 60), pg_temp.day(n, 'held'), pg_temp.pick(n, 'room', array['A1', 'B2', 'C3']),
    pg_temp.dice(n, 'count', 90)
from generate_series(1, 500) n;
