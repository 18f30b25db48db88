-- Leases: the exclusive right to run a turn on a thread.
-- Variables (psql's): schema, runtime_role.

-- `fence` counts the leases that were ever taken of a thread: a run writes only while it is still its own number.
-- A lease that ran out may be taken by the next run, and so may one whose `holder` is a process known to be dead.
alter table :"schema".threads
  add column fence bigint not null default 0,
  add column lease_until timestamptz,
  add column holder text;

grant insert (fence, lease_until, holder), update (fence, lease_until, holder) on :"schema".threads to :"runtime_role";

-- Refuse (SQLSTATE MRG02) to change threads of which another run has taken the lease since: the one that is named has
-- another number, or is another thread. Until the end of the transaction nobody takes them. One that was deleted is nobody's.
create function :"schema".require_leases(p_owner text, names text[], ids bigint[], fences bigint[]) returns void
  language plpgsql as $$
begin
  perform from :"schema".threads t where t.owner = p_owner and t.thread_id = any(names) order by t.id for no key update;
  if exists (
    select from unnest(names, ids, fences) as l (name, id, fence)
    join :"schema".threads t on t.owner = p_owner and t.thread_id = l.name
    where (t.id, t.fence) <> (l.id, l.fence)
  ) then
    raise exception 'stale lease' using errcode = 'MRG02';
  end if;
end
$$;
revoke all on function :"schema".require_leases(text, text[], bigint[], bigint[]) from public;
grant execute on function :"schema".require_leases(text, text[], bigint[], bigint[]) to :"runtime_role";
