-- Leases: the exclusive right to run a turn on a thread.
-- Variables (psql's): schema, runtime_role.

-- `fence` counts the leases that were ever taken of a thread: a run writes only while it is still its own number.
-- A lease that ran out may be taken by the next run, and so may one whose `holder` is a process known to be dead.
alter table :"schema".threads
  add column fence bigint not null default 0,
  add column lease_until timestamptz,
  add column holder text;

grant insert (fence, lease_until, holder), update (fence, lease_until, holder) on :"schema".threads to :"runtime_role";
