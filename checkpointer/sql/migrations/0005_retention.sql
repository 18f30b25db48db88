-- Retention: what may go and when, and what must not go at all.
-- Variables (psql's): schema, runtime_role.

-- A thread's own policy; where `refresh_on_read` is null it has none, and that of whoever prunes holds. A thread was
-- last used at the later of `updated_at` and `read_at`, which moves only where reads count as use. The bounds are those of
-- `Retention`, and of what Python and a subtraction can hold: one thread's values must not stop everybody's pruning.
alter table :"schema".threads
  add column read_at timestamptz,
  add column keep_last int,
  add column ttl interval,
  add column refresh_on_read boolean;

-- Where these columns are written, as a check would be read and planned for every turn. Nobody is granted `updated_at`.
create function :"schema".refuse_unsound() returns trigger
  language plpgsql as $$
begin
  raise exception 'A title is in the clear or encrypted, never both, and a policy within its bounds.'
    using errcode = 'check_violation';
end
$$;
create trigger sound before insert or update of title, sealed_title, read_at, keep_last, ttl on :"schema".threads
  for each row when (
    (new.title is not null and new.sealed_title is not null) or new.keep_last <= 0
    or not (new.ttl > interval '0' and new.ttl <= interval '36525 days')
    or not (new.read_at between timestamptz '1970-01-01 00:00Z' and timestamptz '9999-01-01 00:00Z')
  ) execute function :"schema".refuse_unsound();
revoke all on function :"schema".refuse_unsound() from public;
grant update (read_at, keep_last, ttl, refresh_on_read) on :"schema".threads to :"runtime_role";

-- Legal holds. Only the schema's owner places and lifts them: no other role has a privilege on this table, and what
-- they forbid is refused by triggers, for every role and every way to delete.
create table :"schema".holds (
  owner text not null,
  thread bigint not null,
  thread_id text not null,
  reason text not null,
  placed_at timestamptz not null default now(),
  placed_by text not null default session_user,
  primary key (thread),
  foreign key (owner, thread) references :"schema".threads (owner, id)
);

alter table :"schema".holds enable row level security;
alter table :"schema".holds force row level security;
create policy administrator on :"schema".holds to current_user using (true);

-- The schema's owner prunes everybody's threads, and otherwise reads nobody's by accident. It is told by the login: a view
-- looks at policies as its owner, and anybody may put on the setting.
create function :"schema".administers() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return current_setting('mooring.administer', true) = 'on' and pg_has_role(session_user, current_user, 'MEMBER');

create policy administrator on :"schema".threads to current_user using ((select :"schema".administers()));
create policy administrator on :"schema".items to current_user using ((select :"schema".administers()));
create policy administrator on :"schema".checkpoints to current_user using ((select :"schema".administers()));
create policy administrator on :"schema".writes to current_user using ((select :"schema".administers()));

-- Tells the owner of a thread, and an administrator, whether it is held. Not why.
create function :"schema".held(thread bigint) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return exists (
    select from :"schema".holds h
    where h.thread = $1
      and (h.owner = :"schema".principal() or pg_catalog.pg_has_role(session_user, current_user, 'MEMBER'))
  );

-- The triggers look as the schema's owner: whoever a statement makes the principal to be, they see every hold.
create function :"schema".refuse_held(thread bigint) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held text;
begin
  select h.thread_id into held from :"schema".holds h where h.thread = $1;
  if found then
    raise exception using errcode = 'restrict_violation', detail = held,
      message = format('Thread %L is under legal hold.', held);
  end if;
end $$;

create function :"schema".keep_held_thread() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform :"schema".refuse_held(old.id);
  return old;
end $$;

create function :"schema".keep_held_row() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform :"schema".refuse_held(old.thread);
  return new;
end $$;

-- Once a statement, whatever it deletes: holds are few.
create function :"schema".keep_held_rows() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform :"schema".refuse_held(h.thread) from :"schema".holds h where h.thread in (select gone.thread from gone);
  return null;
end $$;

create trigger keep_held before delete on :"schema".threads
  for each row execute function :"schema".keep_held_thread();
create trigger keep_held after delete on :"schema".items
  referencing old table as gone for each statement execute function :"schema".keep_held_rows();
create trigger keep_held after delete on :"schema".checkpoints
  referencing old table as gone for each statement execute function :"schema".keep_held_rows();
create trigger keep_held after delete on :"schema".writes
  referencing old table as gone for each statement execute function :"schema".keep_held_rows();

-- TRUNCATE asks no row, so while anything is held it is refused, for the schema's owner as well.
create function :"schema".keep_held_tables() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform :"schema".refuse_held(h.thread) from :"schema".holds h;
  return null;
end $$;
create trigger keep_held_tables before truncate on :"schema".threads
  for each statement execute function :"schema".keep_held_tables();
create trigger keep_held_tables before truncate on :"schema".items
  for each statement execute function :"schema".keep_held_tables();
create trigger keep_held_tables before truncate on :"schema".checkpoints
  for each statement execute function :"schema".keep_held_tables();
create trigger keep_held_tables before truncate on :"schema".writes
  for each statement execute function :"schema".keep_held_tables();

-- A held conversation may go on. What it stored stays as it is, but for LangGraph's own notes of a task that is not
-- done (errors, interrupts, resumes: negative numbers), which a later note of that task replaces.
create trigger keep_held_content before update on :"schema".items
  for each row when (old.* is distinct from new.*) execute function :"schema".keep_held_row();
create trigger keep_held_content before update on :"schema".checkpoints
  for each row when (old.* is distinct from new.*) execute function :"schema".keep_held_row();
create trigger keep_held_content before update on :"schema".writes
  for each row when (
    old.* is distinct from new.* and (
      old.idx >= 0
      or (old.owner, old.thread, old.ns, old.checkpoint_id, old.task_id, old.idx)
        is distinct from (new.owner, new.thread, new.ns, new.checkpoint_id, new.task_id, new.idx)
    )
  )
  execute function :"schema".keep_held_row();

-- A read that is a use of its thread, where the thread's policy or else the given one says so: its last use moves at
-- most once a minute, and never for a read just after a write. Only its owner uses it by reading, and not by a login that may
-- only read.
create function :"schema".touch(p_owner text, p_thread_id text, p_refresh boolean, p_ttl interval) returns void
  language plpgsql as $$
begin
  if pg_catalog.has_column_privilege(pg_catalog.format('%I.threads', :'schema'), 'read_at', 'update') then
    update :"schema".threads t set read_at = pg_catalog.now()
    where t.owner = p_owner and t.thread_id = p_thread_id and coalesce(t.refresh_on_read, p_refresh)
      and pg_catalog.now() - greatest(t.updated_at, t.read_at)
        > least(interval '1 minute', case when t.refresh_on_read is null then p_ttl else t.ttl end / 10);
  end if;
end
$$;

-- `get_parts`, as a use of the thread.
create function :"schema".use_parts(
  p_principal text, p_groups text[], p_answers int[], p_owner text, p_thread_id text, p_ns text, p_checkpoint_id text,
  held_of bigint, held int4multirange, p_refresh boolean, p_ttl interval
)
  returns table (
    part text, thread bigint, seq bigint, thread_id text, ns text, checkpoint_id text, extra text, "text" text,
    refs int[], bytes bytea, more bytea, epoch int, n int, m int
  )
  language plpgsql as $$
begin
  return query select * from :"schema".get_parts(
    p_principal, p_groups, p_answers, p_owner, p_thread_id, p_ns, p_checkpoint_id, held_of, held
  );
  perform :"schema".touch(p_owner, p_thread_id, p_refresh, p_ttl);
end
$$;

revoke all on function :"schema".touch(text, text, boolean, interval),
  :"schema".use_parts(text, text[], int[], text, text, text, text, bigint, int4multirange, boolean, interval) from public;
grant execute on function :"schema".touch(text, text, boolean, interval),
  :"schema".use_parts(text, text[], int[], text, text, text, text, bigint, int4multirange, boolean, interval) to :"runtime_role";

revoke all on function :"schema".administers(), :"schema".held(bigint), :"schema".refuse_held(bigint), :"schema".keep_held_thread(),
  :"schema".keep_held_row(), :"schema".keep_held_rows(), :"schema".keep_held_tables() from public;
-- `contents` looks at policies as its owner, and calls what they call as its reader.
grant execute on function :"schema".administers(), :"schema".held(bigint) to :"runtime_role";
