-- A clinic: neither comments nor foreign keys, only names that say what belongs together.
create schema clinic;

create table clinic.patients (
    patient_id integer primary key,
    full_name text not null,
    birth_date date not null,
    gender text not null,
    city text,
    insurer text
);
create table clinic.doctors (
    doctor_id integer primary key,
    full_name text not null,
    specialty text not null
);
create table clinic.appointments (
    appointment_id integer primary key,
    patient_id integer not null,
    doctor_id integer not null,
    starts_at timestamp not null,
    status text not null,
    fee numeric(8, 2)
);
create table clinic.prescriptions (
    prescription_id integer primary key,
    patient_id integer not null,
    drug text not null,
    dose_mg integer not null,
    prescribed_on date not null
);

insert into clinic.patients
select n, pg_temp.person(n * 3), date '1935-01-01' + pg_temp.dice(n, 'birth', 30000),
    pg_temp.pick(n, 'gender', array['female', 'male']),
    nullif(pg_temp.pick(n, 'town', array['Graz', 'Linz', 'Salzburg', 'Villach', '-']), '-'),
    nullif(pg_temp.pick(n, 'insurer', array['Alpina', 'Helvia', 'Medicura', '-']), '-')
from generate_series(1, 130) n;

insert into clinic.doctors
select n, pg_temp.person(391 + n), s
from unnest(array['Cardiology', 'Dermatology', 'Pediatrics', 'Cardiology', 'Neurology', 'Orthopedics', 'Dermatology',
                  'Cardiology', 'Radiology']) with ordinality as d (s, n);

insert into clinic.appointments
select n, 1 + pg_temp.dice(n, 'patient', 130), 1 + floor(9 * (pg_temp.dice(n, 'doctor', 1000) / 1000.0) ^ 1.3),
    pg_temp.day(n, 'visit') + make_interval(hours => 8 + pg_temp.dice(n, 'hour', 9), mins => 15 * pg_temp.dice(n, 'q', 4)),
    pg_temp.pick(n, 'status', array['completed', 'cancelled', 'no-show']),
    case when pg_temp.dice(n, 'free', 9) > 0 then 40 + pg_temp.dice(n, 'fee', 221) * 0.75 end
from generate_series(1, 700) n;

insert into clinic.prescriptions
select n, 1 + pg_temp.dice(n, 'ill', 130),
    pg_temp.pick(n, 'drug', array['Ibuprofen', 'Amoxicillin', 'Metformin', 'Ramipril', 'Cetirizine']),
    (array[5, 10, 50, 200, 400, 600])[1 + pg_temp.dice(n, 'dose', 6)], pg_temp.day(n, 'prescribed')
from generate_series(1, 260) n;
