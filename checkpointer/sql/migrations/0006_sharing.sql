-- Sharing: an owner lets others read a thread, or go on with it, and may give it away.
-- Variables (psql's): schema, runtime_role.

-- With whom: a principal, or the members of a group. Rows are written by `share`, `unshare` and `transfer` only.
create table :"schema".shares (
  owner text not null,
  thread bigint not null,
  grantee text not null,
  is_group boolean not null,
  role text not null check (role in ('viewer', 'editor')),
  shared_at timestamptz not null default now(),
  primary key (owner, thread, grantee, is_group),
  foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade on update cascade
);
create index shares_grantee on :"schema".shares (grantee);

-- The groups of the principal: those of which its role is a member, and what members of the runtime role bind with it.
create function :"schema".groups() returns text[]
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return case
    when pg_catalog.pg_has_role(session_user, :'runtime_role'::name, 'MEMBER') and :"schema".principal() is not null
      then coalesce(nullif(pg_catalog.current_setting('mooring.groups', true), '')::text[], '{}')
    else '{}'
  end || array(
    select g.rolname::text
    from pg_catalog.pg_roles r join pg_catalog.pg_roles g on g.oid <> r.oid and pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')
    where r.rolname = :"schema".principal() and not r.rolsuper
  );

-- The threads that are shared with the principal; where `to_edit`, as an editor. For policies, which take it once a
-- statement, and only when they meet a row that is not the principal's own.
create function :"schema".shared(to_edit boolean) returns bigint[]
  language sql stable security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select coalesce(pg_catalog.array_agg(s.thread), '{}')
    from :"schema".shares s
    where (s.role = 'editor' or not to_edit)
      and s.grantee = any((select :"schema".groups() || :"schema".principal())::text[])
      and case when s.is_group then s.grantee = any((select :"schema".groups())::text[])
        else s.grantee = (select :"schema".principal()) end;
  end;

alter table :"schema".shares enable row level security;
alter table :"schema".shares force row level security;
create policy functions on :"schema".shares to current_user using (true);
create policy own on :"schema".shares for select using (owner = (select :"schema".principal()));
create policy granted on :"schema".shares for select using (
  case when is_group then grantee = any((select :"schema".groups())::text[]) else grantee = (select :"schema".principal()) end
);

-- A viewer reads the rows, and their content as far as its labels allow. An editor adds to them: checkpoints and writes
-- as the runtime role, anything else through the functions of the schema's owner.
create policy granted on :"schema".threads for select using (id = any((select :"schema".shared(false))::bigint[]));
create policy granted on :"schema".items for select using (thread = any((select :"schema".shared(false))::bigint[]));
create policy granted on :"schema".checkpoints for select using (thread = any((select :"schema".shared(false))::bigint[]));
create policy granted on :"schema".writes for select using (thread = any((select :"schema".shared(false))::bigint[]));
create policy edited on :"schema".threads for update to current_user
  using (id = any((select :"schema".shared(true))::bigint[]));
create policy edited on :"schema".items for insert to current_user
  with check (thread = any((select :"schema".shared(true))::bigint[]));
create policy edited on :"schema".checkpoints for insert
  with check (thread = any((select :"schema".shared(true))::bigint[]));
create policy edited_again on :"schema".checkpoints for update
  using (thread = any((select :"schema".shared(true))::bigint[]));
create policy edited on :"schema".writes for insert
  with check (thread = any((select :"schema".shared(true))::bigint[]));
create policy edited_again on :"schema".writes for update
  using (thread = any((select :"schema".shared(true))::bigint[]));

-- Refuse who may not write to another's thread: a viewer (SQLSTATE MRG03), and anybody else as if there were no such
-- thread (MRG04).
create function :"schema".require_editor(p_owner text, p_thread_id text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  seen bigint;
begin
  select t.id from :"schema".threads t where t.owner = p_owner and t.thread_id = p_thread_id into seen;
  if seen is null then
    raise exception 'no such thread' using errcode = 'MRG04', detail = p_thread_id, hint = p_owner;
  elsif seen <> all (:"schema".shared(true)) then
    raise exception 'a viewer' using errcode = 'MRG03', detail = p_thread_id, hint = p_owner;
  end if;
end
$$;

-- Leases --------------------------------------------------------------------------------------------------------------

-- A thread's lease, if it is free, ran out, is the one (`dead`) whose holder is known to be gone, or is this try's own.
create function :"schema".take_lease(p_owner text, p_thread_id text, seconds float8, p_holder text, dead bigint)
  returns table (id bigint, fence bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  until timestamptz := clock_timestamp() + make_interval(secs => seconds);
begin
  if p_owner is distinct from :"schema".principal() then
    perform :"schema".require_editor(p_owner, p_thread_id);
  else
    insert into :"schema".threads (owner, thread_id) values (p_owner, p_thread_id) on conflict do nothing;
  end if;
  return query
  update :"schema".threads t set fence = t.fence + 1, lease_until = until, holder = p_holder
  where t.owner = p_owner and t.thread_id = p_thread_id and (
    t.lease_until is null or t.lease_until <= clock_timestamp() or t.fence = dead or t.holder = p_holder
  )
  returning t.id, t.fence;
  if found then
    perform :"schema".note('wrote', t.owner, t.id, t.thread_id)
    from :"schema".threads t where t.owner = p_owner and t.thread_id = p_thread_id;
  end if;
end
$$;

create function :"schema".renew_lease(p_owner text, thread bigint, lease bigint, seconds float8) returns setof bigint
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    update :"schema".threads t
    set lease_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => renew_lease.seconds)
    where t.owner = p_owner and t.id = renew_lease.thread and t.fence = renew_lease.lease returning t.id;
  end;

create function :"schema".release_lease(p_owner text, thread bigint, lease bigint) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    update :"schema".threads t set lease_until = null, holder = null
    where t.owner = p_owner and t.id = release_lease.thread and t.fence = release_lease.lease;
  end;

-- What an owner does ------------------------------------------------------------------------------------------------

-- Share a thread of the principal's; who has it already gets the role. False where there is no such thread.
create function :"schema".share(p_thread_id text, p_grantee text, p_is_group boolean, p_role text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_id bigint;
begin
  insert into :"schema".shares (owner, thread, grantee, is_group, role)
  select t.owner, t.id, p_grantee, p_is_group, p_role
  from :"schema".threads t where t.owner = :"schema".principal() and t.thread_id = p_thread_id and t.next_seq > 0
  on conflict (owner, thread, grantee, is_group) do update set role = excluded.role
  returning shares.thread into found_id;
  if found then
    perform :"schema".note(
      'shared', :"schema".principal(), found_id, p_thread_id,
      case when p_is_group then 'group:' else '' end || p_grantee, p_role
    );
  end if;
  return found_id is not null;
end
$$;

-- Share it no longer. False where it was not shared, or where there is no such thread.
create function :"schema".unshare(p_thread_id text, p_grantee text, p_is_group boolean) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_id bigint;
begin
  delete from :"schema".shares s using :"schema".threads t
  where t.owner = :"schema".principal() and t.thread_id = p_thread_id and s.owner = t.owner and s.thread = t.id
    and s.grantee = p_grantee and s.is_group = p_is_group
  returning s.thread into found_id;
  if found then
    perform :"schema".note(
      'unshared', :"schema".principal(), found_id, p_thread_id, case when p_is_group then 'group:' else '' end || p_grantee
    );
  end if;
  return found_id is not null;
end
$$;

-- Giving away moves a thread's rows with their owner. A held one stays, so its hold does not follow.
alter table :"schema".items drop constraint items_owner_thread_fkey,
  add foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade on update cascade;
alter table :"schema".checkpoints drop constraint checkpoints_owner_thread_fkey,
  add foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade on update cascade;
alter table :"schema".writes drop constraint writes_owner_thread_fkey,
  add foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade on update cascade;
create policy given on :"schema".threads for update to current_user
  using (owner = (select :"schema".principal())) with check (true);

-- Give a thread of the principal's to somebody else. `given` is null where there is no such thread; one that a run holds
-- stays, and `busy` says for how many seconds. Where the other has a thread of the name, which is not told, it gets
-- something behind it that nobody can guess. An encrypted one vouches for where it comes from, under either name.
create function :"schema".transfer(
  p_thread_id text, p_to text, p_places bytea default null, p_other_id text default null,
  p_other_places bytea default null, out given bigint, out busy float8
)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  it :"schema".threads;
begin
  select * from :"schema".threads t
  where t.owner = :"schema".principal() and t.thread_id = p_thread_id and t.next_seq > 0 for update into it;
  given := it.id;
  if it.lease_until > clock_timestamp() then
    busy := extract(epoch from it.lease_until - clock_timestamp());
  end if;
  if given is null or busy is not null then
    return;
  end if;
  perform :"schema".refuse_held(it.id);
  if p_places is null then
    perform :"schema".refuse_sealed(it.id);
  end if;
  delete from :"schema".shares s where s.thread = it.id and s.grantee = p_to and not s.is_group;
  -- A row may only become one that whoever updates it sees.
  insert into :"schema".shares (owner, thread, grantee, is_group, role) values (it.owner, it.id, it.owner, false, 'viewer');
  begin
    update :"schema".threads t
    set owner = p_to, places = p_places, lease_until = null, holder = null, fence = t.fence + 1, epoch = t.epoch + 1
    where t.id = it.id;
  exception when unique_violation then
    -- A thread id has at most 1,000 bytes.
    it.thread_id := left(it.thread_id, case when octet_length(it.thread_id) > 990 then 245 else 1000 end);
    update :"schema".threads t
    set owner = p_to, thread_id = coalesce(p_other_id, it.thread_id || '-' || left(gen_random_uuid()::text, 8)),
      places = p_other_places, lease_until = null, holder = null, fence = t.fence + 1, epoch = t.epoch + 1
    where t.id = it.id;
  end;
  delete from :"schema".shares s where s.thread = it.id and s.grantee = it.owner and not s.is_group;
  perform :"schema".note('transferred', it.owner, it.id, p_thread_id, p_to);
end
$$;

-- Privileges ----------------------------------------------------------------------------------------------------------

grant select on :"schema".shares to :"runtime_role";
-- Leases are taken through their functions.
revoke insert (fence, lease_until, holder), update (fence, lease_until, holder) on :"schema".threads from :"runtime_role";

do $$
declare
  name text;
begin
  foreach name in array array[
    'groups', 'shared', 'take_lease', 'renew_lease', 'release_lease', 'share', 'unshare', 'transfer', 'require_editor'
  ] loop
    execute format('revoke all on function %I.%I from public', :'schema', name);
    execute format('grant execute on function %I.%I to %I', :'schema', name, :'runtime_role');
  end loop;
end
$$;
