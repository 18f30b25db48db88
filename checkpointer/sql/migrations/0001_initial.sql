-- Threads, their checkpoints, the items that checkpoints are made of, and pending writes.
-- Variables (psql's): schema, runtime_role, login_role.

create schema if not exists :"schema";

create table :"schema".migrations (
  version int primary key,
  name text not null,
  applied_at timestamptz not null default now()
);

-- Who is asking. Members of the runtime role are believed about the principal they bind for one transaction;
-- anybody else is who they logged in as. STABLE, never IMMUTABLE: a plan must not outlive its principal.
create function :"schema".principal() returns text
  language sql stable parallel safe
  return case
    when pg_catalog.pg_has_role(session_user, :'runtime_role'::name, 'MEMBER')
      then nullif(pg_catalog.current_setting('mooring.principal', true), '')
    else session_user::text
  end;

-- One conversation. `next_seq` and the next positions are taken under this row's lock, so the order of checkpoints is
-- the order of commits. `epoch` moves when items go away, which voids what a process remembers of the thread.
-- A title is in one of two columns, as a saver stores it in the clear or encrypted. `places` is encrypted as well: the
-- threads that the content of a copy, or of a thread that was given away, was encrypted in.
create table :"schema".threads (
  owner text not null,
  thread_id text not null,
  id bigint generated always as identity,
  title text,
  sealed_title bytea,
  places bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  epoch int not null default 0,
  next_seq bigint not null default 0,
  next_message int not null default 0,
  next_value int not null default 1073741824,
  primary key (owner, thread_id),
  unique (id, owner)
) with (fillfactor = 70);

-- One element of a list, one or more entries of a dict, or a whole value; written once and referred to by position.
-- A chat message is kept as JSON text in `message`, with its type as `kind`; anything else is serialised in `value`.
-- Messages of a conversation are numbered apart from inputs and other values, so that they stay one range.
create table :"schema".items (
  owner text not null,
  thread bigint not null,
  position int not null,
  digest bytea not null,
  kind text not null,
  message text,
  value bytea,
  primary key (thread, position),
  foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade,
  check ((message is null) <> (value is null))
);

-- `state` holds the checkpoint without its values; `refs` the items of the values, as pairs (first position, count).
-- `metadata` is what SQL can read of the metadata: all of it, or none, which is then in `metadata_value`; beside an encrypted
-- `metadata_value` what pruning has to know.
create table :"schema".checkpoints (
  owner text not null,
  thread bigint not null,
  seq bigint not null,
  ns text not null,
  checkpoint_id text collate "C" not null,
  parent_id text,
  run_id text,
  created_at timestamptz not null default now(),
  metadata text,
  metadata_value bytea,
  refs int[] not null,
  state bytea not null,
  primary key (thread, ns, checkpoint_id),
  unique (thread, seq),
  foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade,
  check (metadata is not null or metadata_value is not null)
);
create index checkpoints_run_id on :"schema".checkpoints (owner, run_id) where run_id is not null;

-- What a task wrote, before the checkpoint that takes it up. It may arrive before the checkpoint it belongs to, so
-- it refers to the thread only.
create table :"schema".writes (
  owner text not null,
  thread bigint not null,
  ns text not null,
  checkpoint_id text collate "C" not null,
  task_id text collate "C" not null,
  idx int not null,
  channel text not null,
  task_path text not null,
  refs int[] not null,
  value bytea not null,
  primary key (thread, ns, checkpoint_id, task_id, idx),
  foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade
);

alter table :"schema".migrations enable row level security;
alter table :"schema".migrations force row level security;
alter table :"schema".threads enable row level security;
alter table :"schema".threads force row level security;
alter table :"schema".items enable row level security;
alter table :"schema".items force row level security;
alter table :"schema".checkpoints enable row level security;
alter table :"schema".checkpoints force row level security;
alter table :"schema".writes enable row level security;
alter table :"schema".writes force row level security;

-- The version of the schema is nobody's secret; only the schema's owner writes it.
create policy everybody_reads on :"schema".migrations for select using (true);
create policy owner_writes on :"schema".migrations for insert with check (true);

-- The scalar sub-select makes the principal one evaluation a statement, not one a row.
create policy own on :"schema".threads using (owner = (select :"schema".principal()));
create policy own on :"schema".items using (owner = (select :"schema".principal()));
create policy own on :"schema".checkpoints using (owner = (select :"schema".principal()));
create policy own on :"schema".writes using (owner = (select :"schema".principal()));

revoke all on schema :"schema" from public;
revoke all on function :"schema".principal() from public;

grant usage on schema :"schema" to :"runtime_role";
grant execute on function :"schema".principal() to :"runtime_role";
grant select on :"schema".migrations to :"runtime_role";
grant delete on :"schema".items to :"runtime_role";
grant select, delete, insert (owner, thread_id, title), update (title, sealed_title, epoch) on :"schema".threads
  to :"runtime_role";
grant select, insert, update, delete on :"schema".checkpoints, :"schema".writes to :"runtime_role";
