-- The people of the franchise's head office. Run as lakehouse_owner.
create schema hr;
comment on schema hr is 'The people of the head office and their pay';

create table hr.employees (
    employee_id integer primary key,
    name text not null,
    title text not null,
    department text not null,
    country text not null,
    hired_on date not null,
    manager_id integer references hr.employees
);
create index on hr.employees (manager_id);
comment on table hr.employees is 'People who work for the head office';
comment on column hr.employees.employee_id is 'Number of the employee';
comment on column hr.employees.name is 'First and last name';
comment on column hr.employees.title is 'Job title';
comment on column hr.employees.department is 'Department';
comment on column hr.employees.country is 'Country they work in';
comment on column hr.employees.hired_on is 'First day at work';
comment on column hr.employees.manager_id is 'Their manager; empty for the chief executive';

create table hr.salaries (
    employee_id integer not null references hr.employees,
    year integer not null,
    amount numeric(10, 2) not null check (amount > 0),
    currency text not null,
    primary key (employee_id, year)
);
comment on table hr.salaries is 'Yearly salaries';
comment on column hr.salaries.employee_id is 'Employee who is paid';
comment on column hr.salaries.year is 'Year it is paid for';
comment on column hr.salaries.amount is 'Salary before tax for the whole year';
comment on column hr.salaries.currency is 'Currency of the amount';
