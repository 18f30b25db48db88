-- Audit: who did what with which thread, and what was withheld from whom. Written by the functions of the schema, in the
-- transaction of what it tells about. Variables (psql's): schema, runtime_role.

-- One line. It outlives its thread; `owner` and `thread_id` are those of its time. `tables` are those that a query read
-- (`statement` is its id) or that a reader misses; `counterpart` is whom something was shared with or given to.
create table :"schema".audit (
  at timestamptz not null default now(),
  id bigint generated always as identity primary key,
  actor text not null,
  act text not null check (act in (
    'opened', 'wrote', 'read', 'withheld', 'shared', 'unshared', 'transferred', 'exported', 'deleted', 'break glass'
  )),
  owner text not null,
  thread bigint,
  thread_id text not null,
  counterpart text,
  role text,
  reason text,
  statement text,
  tables text[],
  label_set int
);
create index audit_owner on :"schema".audit (owner, at);
create index audit_actor on :"schema".audit (actor, at);
create index audit_counterpart on :"schema".audit (counterpart) where counterpart is not null;

-- Whether the principal is a member of the role that `migrate` was given for auditors; nobody is until it was.
create function :"schema".is_auditor() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return false;

alter table :"schema".audit enable row level security;
alter table :"schema".audit force row level security;
-- The schema's owner adds lines by its functions, and alone could change them.
create policy functions on :"schema".audit to current_user using (true);
-- People see the lines about their own threads, about themselves, and of what they did; auditors all.
create policy own on :"schema".audit for select using (
  owner = (select :"schema".principal()) or actor = (select :"schema".principal())
  or counterpart = (select :"schema".principal()) or (select :"schema".is_auditor())
);

create function :"schema".note(
  p_act text, p_owner text, p_thread bigint, p_thread_id text, p_counterpart text default null, p_role text default null,
  p_reason text default null
) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    insert into :"schema".audit (actor, act, owner, thread, thread_id, counterpart, role, reason)
    values (
      coalesce(:"schema".principal(), session_user), p_act, p_owner, p_thread, p_thread_id, p_counterpart, p_role, p_reason
    );
  end;

-- Note what the principal does with a thread that they see, once an hour.
create function :"schema".note_hourly(p_act text, p_owner text, p_thread_id text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select :"schema".note(p_act, t.owner, t.id, t.thread_id)
    from :"schema".threads t
    where t.owner = p_owner and t.thread_id = p_thread_id and not exists (
      select from :"schema".audit a
      where a.owner = t.owner and a.at > pg_catalog.now() - interval '1 hour' and a.thread = t.id and a.act = p_act
        and a.actor = :"schema".principal()
    );
  end;

-- That the principal looks into another's thread, or takes a copy of one out.
create function :"schema".opened(p_owner text, p_thread_id text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select :"schema".note_hourly('opened', p_owner, p_thread_id);
  end;
create function :"schema".exported(p_owner text, p_thread_id text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select :"schema".note('exported', t.owner, t.id, t.thread_id)
    from :"schema".threads t where t.owner = p_owner and t.thread_id = p_thread_id;
  end;

-- The sources that keep a set from the principal, as `missing_sources`; noted once an hour for each thread and set.
create function :"schema".withheld(p_thread bigint, p_label_set int) returns text[]
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  sources text[] := :"schema".missing_sources(p_label_set);
begin
  if current_setting('transaction_read_only') = 'off' then
    insert into :"schema".audit (actor, act, owner, thread, thread_id, label_set, tables, reason)
    select :"schema".principal(), 'withheld', t.owner, t.id, t.thread_id, p_label_set, sources, coalesce((
      select case
        when bool_or(:"schema".fingerprint(:"schema".principal_role(), c.oid) is null) then 'may not read'
        when bool_or(l.expires_at <= now()) then 'label ran out'
        else 'reads it otherwise'
      end
      from :"schema".label_sets s join :"schema".labels l on l.id = any(s.labels)
      left join pg_class c on c.oid = substring(l.fingerprint, '^\d+')::oid
      where s.id = p_label_set and l.source = any(sources)
    ), 'unknown')
    from :"schema".threads t
    where t.id = p_thread and p_label_set = any(t.label_sets) and sources is not null and not exists (
      select from :"schema".audit a
      where a.owner = t.owner and a.at > now() - interval '1 hour' and a.thread = t.id and a.act = 'withheld'
        and a.actor = :"schema".principal() and a.label_set = p_label_set
    );
  end if;
  return sources;
end
$$;

-- The tables that queries read whose results are stored, a line for each statement.
create function :"schema".note_reads(p_owner text, p_thread bigint, p_thread_id text, statements text[], tables text[])
  returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  begin atomic
    insert into :"schema".audit (actor, act, owner, thread, thread_id, statement, tables)
    select :"schema".principal(), 'read', p_owner, p_thread, p_thread_id, r.statement,
      pg_catalog.array_agg(distinct r.source order by r.source)
    from unnest(statements, tables) as r (statement, source) group by r.statement;
  end;

create function :"schema".note_deleted() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform :"schema".note('deleted', old.owner, old.id, old.thread_id);
  return null;
end
$$;
create trigger note_deleted after delete on :"schema".threads
  for each row when (old.next_seq > 0) execute function :"schema".note_deleted();

-- Breaking the glass ----------------------------------------------------------------------------------------------

-- An auditor reads any thread whole, labels aside, for a minute after a line that says so was committed. Refuses (SQLSTATE
-- MRG05) anybody else.
create function :"schema".break_glass(p_owner text, p_thread_id text, p_reason text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not :"schema".is_auditor() then
    raise exception 'no auditor' using errcode = 'MRG05';
  end if;
  perform :"schema".note('break glass', p_owner, null, p_thread_id, null, null, p_reason);
end
$$;

create function :"schema".broken_open() returns table (owner text, thread_id text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select a.owner, a.thread_id from :"schema".audit a
    where a.actor = :"schema".principal() and a.at > pg_catalog.now() - interval '1 minute' and a.act = 'break glass'
      and :"schema".is_auditor();
  end;
create policy broken_open on :"schema".threads for select to current_user
  using ((owner, thread_id) in (select o.owner, o.thread_id from :"schema".broken_open() o));

create function :"schema".broken_threads() returns bigint[]
  language sql stable security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select coalesce(pg_catalog.array_agg(t.id), '{}')
    from :"schema".broken_open() o join :"schema".threads t on t.owner = o.owner and t.thread_id = o.thread_id;
  end;
create policy broken_open on :"schema".items for select to current_user
  using (thread = any((select :"schema".broken_threads())::bigint[]));
create policy broken_open on :"schema".checkpoints for select to current_user
  using (thread = any((select :"schema".broken_threads())::bigint[]));
create policy broken_open on :"schema".writes for select to current_user
  using (thread = any((select :"schema".broken_threads())::bigint[]));

create function :"schema".broken_session(p_owner text, p_thread_id text)
  returns table (
    thread_id text, owner text, title text, created_at timestamptz, updated_at timestamptz, checkpoints bigint,
    sealed_title bytea, places bytea
  )
  language sql stable security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select t.thread_id, t.owner, t.title, t.created_at, t.updated_at,
      (select pg_catalog.count(*) from :"schema".checkpoints c where c.thread = t.id), t.sealed_title, t.places
    from :"schema".threads t
    where t.owner = p_owner and t.thread_id = p_thread_id and t.id = any(:"schema".broken_threads());
  end;

-- Privileges ----------------------------------------------------------------------------------------------------------

grant select on :"schema".audit to :"runtime_role";

do $$
declare
  name text;
begin
  foreach name in array array['note', 'note_hourly', 'note_reads', 'note_deleted', 'broken_open'] loop
    execute format('revoke all on function %I.%I from public', :'schema', name);
  end loop;
  foreach name in array array[
    'is_auditor', 'opened', 'exported', 'withheld', 'break_glass', 'broken_session', 'broken_threads'
  ] loop
    execute format('revoke all on function %I.%I from public', :'schema', name);
    execute format('grant execute on function %I.%I to %I', :'schema', name, :'runtime_role');
  end loop;
end
$$;
