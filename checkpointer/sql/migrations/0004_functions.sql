-- The operations of every turn, as functions: one statement each, whose plans the connection keeps.
-- Variables (psql's): schema, runtime_role.
--
-- A pipeline of statements did the same in 0.8 ms where a function takes 0.45: less is parsed, bound and sent. They run
-- with the caller's rights, so policies hold in them as anywhere; each binds its principal first, for its transaction.

-- Bind the principal. Refuses (SQLSTATE MRG01) one that the database does not believe this connection about.
create function :"schema".bind(p_principal text) returns void
  language plpgsql as $$
begin
  perform pg_catalog.set_config('mooring.principal', p_principal, true);
  if :"schema".principal() is distinct from p_principal then
    raise exception 'not believed' using errcode = 'MRG01';
  end if;
end
$$;

-- Store the given items that the thread does not hold yet, under the lock of the thread's row.
--
-- `known_id` and `known_epoch` say what the caller remembers of the thread: out of date, nothing is stored and `id` is
-- null. Under a lease (`lease_id`, `lease`) that is no longer the latest, SQLSTATE MRG02. Without both, the thread is made
-- where there is none. Positions are counted up by lane, 0 for messages of a conversation, 1 for anything else; an item
-- that another process stored since the caller looked (`since_...`) is found by its digest and not stored twice.
create function :"schema".keep_items(
  p_owner text, p_thread_id text, known_id bigint, known_epoch int, since_message int, since_value int,
  lease_id bigint, lease bigint, seqs int,
  digests bytea[], lanes int[], kinds text[], messages text[], "values" bytea[],
  out id bigint, out epoch int, out next_message int, out next_value int, out seq bigint, out positions int[]
)
  language plpgsql as $$
declare
  fresh int := pg_catalog.cardinality(digests);
  of_messages int := pg_catalog.cardinality(pg_catalog.array_positions(lanes, 0));
  known boolean[];
begin
  loop
    update :"schema".threads as t
    set next_seq = t.next_seq + seqs, updated_at = pg_catalog.now(),
        next_message = t.next_message + of_messages, next_value = t.next_value + fresh - of_messages
    where t.owner = p_owner and t.thread_id = p_thread_id
      and (known_id is null or (t.id = known_id and t.epoch = known_epoch))
      and (lease_id is null or (t.id = lease_id and t.fence = lease))
    returning t.id, t.epoch, t.next_message, t.next_value, t.next_seq - seqs
    into id, epoch, next_message, next_value, seq;
    exit when found;
    if lease_id is not null and not exists (
      select from :"schema".threads t where t.owner = p_owner and t.id = lease_id and t.fence = lease
    ) then
      raise exception 'stale lease' using errcode = 'MRG02';
    end if;
    if known_id is not null then
      return;
    end if;
    insert into :"schema".threads (owner, thread_id) values (p_owner, p_thread_id) on conflict do nothing;
  end loop;
  if fresh = 0 then
    positions := '{}';
    return;
  end if;
  if fresh = 1 then
    positions := array[case lanes[1] when 0 then next_message - 1 else next_value - 1 end];
  else
    select pg_catalog.array_agg(
      case u.lane when 0 then next_message - of_messages else next_value - fresh + of_messages end + u.place - 1 order by u.n
    )
    from (
      select lane, n, (pg_catalog.row_number() over (partition by lane order by n))::int as place
      from pg_catalog.unnest(lanes) with ordinality as l (lane, n)
    ) u
    into positions;
  end if;
  if next_message - of_messages > since_message or next_value - fresh + of_messages > since_value then
    -- Somebody else stored items meanwhile.
    select pg_catalog.array_agg(coalesce(f.position, u.position) order by u.n), pg_catalog.array_agg(f.position is not null order by u.n)
    from unnest(positions, digests) with ordinality as u (position, digest, n)
    left join lateral (
      select i.position from :"schema".items i
      where i.thread = keep_items.id and i.digest = u.digest
        and (i.position >= since_value or i.position between since_message and 1073741823)
      limit 1
    ) f on true
    into positions, known;
    insert into :"schema".items (owner, thread, position, digest, kind, message, value)
    select p_owner, keep_items.id, u.position, u.digest, u.kind, u.message, u.value
    from unnest(positions, digests, kinds, messages, "values", known)
      as u (position, digest, kind, message, value, known)
    where not u.known;
  else
    insert into :"schema".items (owner, thread, position, digest, kind, message, value)
    select p_owner, keep_items.id, u.*
    from unnest(positions, digests, kinds, messages, "values") as u;
  end if;
end
$$;

-- References with those to the given items filled in: at each place in `open_at` stands -n for the n-th of them.
create function :"schema".closed_refs(refs int[], open_at int[], positions int[]) returns int[]
  language plpgsql immutable as $$
declare
  place int;
begin
  foreach place in array open_at loop
    refs[place] := positions[-refs[place]];
  end loop;
  return refs;
end
$$;

-- Store a checkpoint; the same one again replaces it.
create function :"schema".put(
  p_principal text, p_thread_id text, known_id bigint, known_epoch int, since_message int, since_value int,
  lease_id bigint, lease bigint,
  digests bytea[], lanes int[], kinds text[], messages text[], "values" bytea[], p_refs int[], open_at int[],
  p_ns text, p_checkpoint_id text, p_parent_id text, p_run_id text, p_metadata text, p_metadata_value bytea, p_state bytea,
  out id bigint, out epoch int, out next_message int, out next_value int, out positions int[]
)
  language plpgsql as $$
declare
  place record;
begin
  perform :"schema".bind(p_principal);
  place := :"schema".keep_items(
    p_principal, p_thread_id, known_id, known_epoch, since_message, since_value, lease_id, lease, 1,
    digests, lanes, kinds, messages, "values"
  );
  id := place.id;
  epoch := place.epoch;
  next_message := place.next_message;
  next_value := place.next_value;
  positions := place.positions;
  if id is null then
    return;
  end if;
  insert into :"schema".checkpoints
    (owner, thread, seq, ns, checkpoint_id, parent_id, run_id, metadata, metadata_value, refs, state)
  values (
    p_principal, put.id, place.seq, p_ns, p_checkpoint_id, p_parent_id, p_run_id, p_metadata, p_metadata_value,
    :"schema".closed_refs(p_refs, open_at, put.positions), p_state
  )
  on conflict (thread, ns, checkpoint_id) do update
  set parent_id = excluded.parent_id, run_id = excluded.run_id, metadata = excluded.metadata,
      metadata_value = excluded.metadata_value, refs = excluded.refs, state = excluded.state;
end
$$;

-- Store what a task wrote, one row a write; `lengths` cuts the references into theirs. A batch of only errors,
-- interrupts and the like (LangGraph's WRITES_IDX_MAP) `replaces` what was there, any other leaves it.
create function :"schema".put_writes(
  p_principal text, p_thread_id text, known_id bigint, known_epoch int, since_message int, since_value int,
  lease_id bigint, lease bigint,
  digests bytea[], lanes int[], kinds text[], messages text[], "values" bytea[], p_refs int[], open_at int[],
  p_ns text, p_checkpoint_id text, p_task_id text, p_task_path text,
  idxs int[], channels text[], lengths int[], bodies bytea[], replaces boolean,
  out id bigint, out epoch int, out next_message int, out next_value int, out positions int[]
)
  language plpgsql as $$
declare
  place record;
  closed int[];
  past int := 0;
begin
  perform :"schema".bind(p_principal);
  place := :"schema".keep_items(
    p_principal, p_thread_id, known_id, known_epoch, since_message, since_value, lease_id, lease, 0,
    digests, lanes, kinds, messages, "values"
  );
  id := place.id;
  epoch := place.epoch;
  next_message := place.next_message;
  next_value := place.next_value;
  positions := place.positions;
  if id is null then
    return;
  end if;
  closed := :"schema".closed_refs(p_refs, open_at, positions);
  for n in 1 .. pg_catalog.cardinality(idxs) loop
    if replaces then
      insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
      values (p_principal, put_writes.id, p_ns, p_checkpoint_id, p_task_id, idxs[n], channels[n], p_task_path,
        closed[past + 1 : past + lengths[n]], bodies[n])
      on conflict (thread, ns, checkpoint_id, task_id, idx) do update
      set channel = excluded.channel, task_path = excluded.task_path, refs = excluded.refs, value = excluded.value;
    else
      insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
      values (p_principal, put_writes.id, p_ns, p_checkpoint_id, p_task_id, idxs[n], channels[n], p_task_path,
        closed[past + 1 : past + lengths[n]], bodies[n])
      on conflict (thread, ns, checkpoint_id, task_id, idx) do nothing;
    end if;
    past := past + lengths[n];
  end loop;
end
$$;

-- A checkpoint, its pending writes, and every item that either refers to, each item once; the latest committed
-- checkpoint of the namespace without an id. Items of the thread `held_of` at the positions `held`, which the caller
-- says it has, are left out: an item never changes.
create function :"schema".get_parts(
  p_principal text, p_thread_id text, p_ns text, p_checkpoint_id text, held_of bigint, held int4multirange
)
  returns table (
    part text, thread bigint, seq bigint, thread_id text, ns text, checkpoint_id text, extra text, "text" text,
    refs int[], bytes bytea, more bytea, epoch int, n int, m int
  )
  language plpgsql set plan_cache_mode = force_generic_plan set jit = off as $$
#variable_conflict use_column
declare
  found_thread :"schema".threads;
  target :"schema".checkpoints;
begin
  perform :"schema".bind(p_principal);
  select * from :"schema".threads t where t.owner = p_principal and t.thread_id = p_thread_id into found_thread;
  if p_checkpoint_id is null then
    select * from :"schema".checkpoints c where c.thread = found_thread.id and c.ns = p_ns
    order by c.seq desc limit 1 into target;
  else
    select * from :"schema".checkpoints c
    where c.thread = found_thread.id and c.ns = p_ns and c.checkpoint_id = p_checkpoint_id into target;
  end if;
  if target.thread is null then
    return;
  end if;
  return query
  select 'c'::text, target.thread, target.seq, found_thread.thread_id, target.ns, target.checkpoint_id, target.parent_id,
    target.metadata, target.refs, target.state, target.metadata_value, found_thread.epoch, found_thread.next_message,
    found_thread.next_value;
  return query
  select 'w'::text, w.thread, 0::bigint, null::text, w.ns, w.checkpoint_id, w.task_id, w.channel, w.refs, w.value,
    pg_catalog.convert_to(w.task_path, 'UTF8'), 0, w.idx, 0
  from :"schema".writes w
  where w.thread = target.thread and w.ns = target.ns and w.checkpoint_id = target.checkpoint_id;
  return query
  select 'i'::text, target.thread, 0::bigint, null::text, i.kind, null::text, null::text, i.message, null::int[],
    i.value, i.digest, 0, i.position, 0
  from (
    select pg_catalog.unnest(
      pg_catalog.range_agg(pg_catalog.int4range(r.refs[k], r.refs[k] + r.refs[k + 1]))
      - case target.thread when held_of then held else '{}' end
    ) as span
    from (
      -- A long array is compressed; subscripting it would unpack it whole for every element.
      select target.refs || '{}'::int[] as refs
      union all
      select w.refs || '{}'::int[] from :"schema".writes w
      where w.thread = target.thread and w.ns = target.ns and w.checkpoint_id = target.checkpoint_id
      offset 0
    ) r, pg_catalog.generate_series(1, pg_catalog.cardinality(r.refs), 2) k
  ) s, lateral (
    -- One range of the key for each span, whatever the planner thinks of their number.
    select * from :"schema".items i
    where i.thread = target.thread and i.position >= pg_catalog.lower(s.span) and i.position < pg_catalog.upper(s.span)
    offset 0
  ) i;
end
$$;

do $$
declare
  name text;
begin
  foreach name in array array['bind', 'keep_items', 'closed_refs', 'put', 'put_writes', 'get_parts'] loop
    execute format('revoke all on function %I.%I from public', :'schema', name);
    execute format('grant execute on function %I.%I to %I', :'schema', name, :'runtime_role');
  end loop;
end
$$;
