-- The operations of every turn, as functions: one statement each, whose plans the connection keeps.
-- Variables (psql's): schema, runtime_role.
--
-- A pipeline of statements did the same in 0.8 ms where a function takes 0.45: less is parsed, bound and sent. Policies
-- hold in them as anywhere, also in those that run with the owner's rights because nobody else has any on content:
-- `principal` looks at the login. Each binds its principal first, for its transaction.

-- Bind the principal, its groups, and what other catalogs say of them, see `answers`. Refuses (SQLSTATE MRG01) one that
-- the database does not believe this connection about. Whoever calls it has the search path of `store` and `get_parts`:
-- its plans are of one path, and would be made anew for each other.
create function :"schema".bind(p_principal text, p_groups text[], p_answers int[]) returns void
  language plpgsql as $$
declare
  bound text;
begin
  -- Assigned, as an expression costs less than a statement.
  bound := pg_catalog.set_config('mooring.principal', p_principal, true);
  -- Most have neither, and a setting of the session is cleared rather than believed.
  if p_groups <> '{}' or pg_catalog.current_setting('mooring.groups', true) <> '' then
    bound := pg_catalog.set_config('mooring.groups', p_groups::text, true);
  end if;
  if p_answers is not null or pg_catalog.current_setting('mooring.answers', true) <> '' then
    bound := pg_catalog.set_config('mooring.answers', coalesce(p_answers::text, ''), true);
  end if;
  if :"schema".principal() is distinct from p_principal then
    raise exception 'not believed' using errcode = 'MRG01';
  end if;
end
$$;

-- Store the given items that the thread does not hold yet, under the lock of the thread's row. `sets` tells for each which
-- of the label sets it carries, 0 for none; the n-th set is what `label_sources` and `label_prints` hold where `label_of`
-- is n. Everything gets the labels of the checkpoint `inherit_from` as well, if one is given.
--
-- `known_id` and `known_epoch` say what the caller remembers of the thread: out of date, nothing is stored and `id` is
-- null. Under a lease (`lease_id`, `lease`) that is no longer the latest, SQLSTATE MRG02. Without both, the thread is made
-- where there is none, if it is the principal's. Another's is refused as `require_editor` says. Positions are counted up
-- by lane, 0 for messages of a conversation, 1 for anything else; an item that another process stored since the caller
-- looked (`since_...`) is found by its digest and not stored twice. A part of `store`, which alone calls it.
create function :"schema".keep_items(
  p_owner text, p_thread_id text, known_id bigint, known_epoch int, since_message int, since_value int,
  lease_id bigint, lease bigint, seqs int,
  digests bytea[], lanes int[], kinds text[], messages text[], "values" bytea[],
  envelopes text[], sets int[], label_of int[], label_sources text[], label_prints text[],
  inherit_ns text, inherit_from text, read_statements text[], read_tables text[],
  out id bigint, out epoch int, out next_message int, out next_value int, out seq bigint, out positions int[]
)
  language plpgsql as $$
declare
  kept_sets int[] := '{}';
  seen_sets int[] := '{}';
  fresh int := pg_catalog.cardinality(digests);
  of_messages int := pg_catalog.cardinality(pg_catalog.array_positions(lanes, 0));
  known boolean[];
begin
  if p_owner is distinct from :"schema".principal() then
    perform :"schema".require_editor(p_owner, p_thread_id);
    if lease_id is null then
      perform :"schema".note_hourly('wrote', p_owner, p_thread_id);
    end if;
  end if;
  if label_of <> '{}' then
    for number in 1 .. (select max(l) from unnest(label_of) l) loop
      kept_sets := kept_sets || (
        select :"schema".label_set(array_agg(l.source), array_agg(l.print))
        from unnest(label_of, label_sources, label_prints) as l (n, source, print) where l.n = number
      );
    end loop;
    select array_agg(case when s = 0 then 0 else kept_sets[s] end order by at)
    from unnest(sets) with ordinality as u (s, at) into sets;
  end if;
  loop
    update :"schema".threads as t
    set next_seq = t.next_seq + seqs, updated_at = pg_catalog.now(),
        label_sets = case
          when t.label_sets @> kept_sets then t.label_sets
          else (select array_agg(distinct s order by s) from unnest(t.label_sets || kept_sets) s)
        end,
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
    if p_owner is distinct from :"schema".principal() then
      -- It went away since it was asked for.
      perform :"schema".require_editor(p_owner, p_thread_id);
      raise exception 'no such thread' using errcode = 'MRG04', detail = p_thread_id, hint = p_owner;
    end if;
    insert into :"schema".threads (owner, thread_id) values (p_owner, p_thread_id) on conflict do nothing;
  end loop;
  if inherit_from is not null then
    sets := :"schema".with_labels_of(keep_items.id, inherit_ns, inherit_from, sets);
  end if;
  if fresh = 0 then
    positions := '{}';
    return;
  end if;
  if read_statements <> '{}' then
    perform :"schema".note_reads(p_owner, keep_items.id, p_thread_id, read_statements, read_tables);
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
    -- Somebody else stored items meanwhile. Of those that are withheld from the principal, nothing is told.
    if kept_sets <> '{}' then
      seen_sets := :"schema".readable(kept_sets);
    end if;
    select pg_catalog.array_agg(coalesce(f.position, u.position) order by u.n), pg_catalog.array_agg(f.position is not null order by u.n)
    from unnest(positions, digests) with ordinality as u (position, digest, n)
    left join lateral (
      select i.position from :"schema".items i
      where i.thread = keep_items.id and i.digest = u.digest and (i.label_set = 0 or i.label_set = any(seen_sets))
        and (i.position >= since_value or i.position between since_message and 1073741823)
      limit 1
    ) f on true
    into positions, known;
    insert into :"schema".items (owner, thread, position, digest, kind, message, value, envelope, label_set)
    select p_owner, keep_items.id, u.position, u.digest, u.kind, u.message, u.value, u.envelope, u.label_set
    from unnest(positions, digests, kinds, messages, "values", envelopes, sets, known)
      as u (position, digest, kind, message, value, envelope, label_set, known)
    where not u.known;
  elsif fresh = 1 then
    insert into :"schema".items (owner, thread, position, digest, kind, message, value, envelope, label_set)
    values (p_owner, keep_items.id, positions[1], digests[1], kinds[1], messages[1], "values"[1], envelopes[1], sets[1]);
  else
    insert into :"schema".items (owner, thread, position, digest, kind, message, value, envelope, label_set)
    select p_owner, keep_items.id, u.*
    from unnest(positions, digests, kinds, messages, "values", envelopes, sets) as u;
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

-- Store what tasks wrote at the checkpoint `p_at`, a row for each write, and the checkpoint after it, if one is given; the
-- same one again replaces it. The references are those of the writes, cut by `lengths`, and then those of the checkpoint.
-- Writes leave what is there; errors, interrupts and the like (LangGraph's WRITES_IDX_MAP) `replace` it.
create function :"schema".store(
  p_principal text, p_groups text[], p_owner text, p_thread_id text, known_id bigint, known_epoch int, since_message int, since_value int,
  lease_id bigint, lease bigint,
  digests bytea[], lanes int[], kinds text[], messages text[], "values" bytea[],
  envelopes text[], sets int[], label_of int[], label_sources text[], label_prints text[], read_statements text[], read_tables text[],
  p_refs int[], open_at int[], p_ns text, p_at text,
  task_ids text[], task_paths text[], idxs int[], channels text[], lengths int[], bodies bytea[], replaces boolean, inherits boolean,
  p_checkpoint_id text, p_run_id text, p_metadata text, p_metadata_value bytea, p_state bytea,
  out id bigint, out epoch int, out next_message int, out next_value int, out positions int[]
)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  place record;
  closed int[];
  past int := 0;
begin
  perform :"schema".bind(p_principal, p_groups, null);
  place := :"schema".keep_items(
    p_owner, p_thread_id, known_id, known_epoch, since_message, since_value, lease_id, lease,
    case when p_checkpoint_id is null then 0 else 1 end,
    digests, lanes, kinds, messages, "values", envelopes, sets, label_of, label_sources, label_prints,
    case when inherits then p_ns end, case when inherits then p_at end, read_statements, read_tables
  );
  id := place.id;
  epoch := place.epoch;
  next_message := place.next_message;
  next_value := place.next_value;
  positions := place.positions;
  if id is null then
    return;
  end if;
  closed := case when open_at = '{}' then p_refs else :"schema".closed_refs(p_refs, open_at, positions) end;
  for n in 1 .. pg_catalog.cardinality(idxs) loop
    if replaces then
      insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
      values (p_owner, store.id, p_ns, p_at, task_ids[n], idxs[n], channels[n], task_paths[n],
        closed[past + 1 : past + lengths[n]], bodies[n])
      on conflict (thread, ns, checkpoint_id, task_id, idx) do update
      set channel = excluded.channel, task_path = excluded.task_path, refs = excluded.refs, value = excluded.value;
    else
      insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
      values (p_owner, store.id, p_ns, p_at, task_ids[n], idxs[n], channels[n], task_paths[n],
        closed[past + 1 : past + lengths[n]], bodies[n])
      on conflict (thread, ns, checkpoint_id, task_id, idx) do nothing;
    end if;
    past := past + lengths[n];
  end loop;
  if p_checkpoint_id is not null then
    insert into :"schema".checkpoints
      (owner, thread, seq, ns, checkpoint_id, parent_id, run_id, metadata, metadata_value, refs, state)
    values (
      p_owner, store.id, place.seq, p_ns, p_checkpoint_id, p_at, p_run_id, p_metadata, p_metadata_value,
      closed[past + 1 :], p_state
    )
    on conflict (thread, ns, checkpoint_id) do update
    set parent_id = excluded.parent_id, run_id = excluded.run_id, metadata = excluded.metadata,
        metadata_value = excluded.metadata_value, refs = excluded.refs, state = excluded.state;
  end if;
end
$$;

-- A checkpoint, its pending writes, and every item that either refers to, each item once; the latest committed
-- checkpoint of the namespace without an id. Items of the thread `held_of` at the positions `held`, which the caller
-- says it has, are left out: an item never changes. An item that is withheld is told as a part 'x', held or not: its
-- envelope, and in `refs` the number of its label set, whose missing sources a part 's' names. A part 'p' has the thread's
-- `places`.
--
-- Without `enable_sort` the latest checkpoint is found by the index that has their order: a planner without statistics
-- would rather fetch all of the thread's and sort them.
create function :"schema".get_parts(
  p_principal text, p_groups text[], p_answers int[], p_owner text, p_thread_id text, p_ns text, p_checkpoint_id text,
  held_of bigint, held int4multirange
)
  returns table (
    part text, thread bigint, seq bigint, thread_id text, ns text, checkpoint_id text, extra text, "text" text,
    refs int[], bytes bytea, more bytea, epoch int, n int, m int
  )
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off set enable_sort = off as $$
#variable_conflict use_column
declare
  found_thread :"schema".threads;
  target :"schema".checkpoints;
  spans int4multirange;
  closed int[] := '{}';
begin
  perform :"schema".bind(p_principal, p_groups, p_answers);
  select * from :"schema".threads t where t.owner = p_owner and t.thread_id = p_thread_id into found_thread;
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
  if p_owner <> p_principal then
    perform :"schema".opened(p_owner, p_thread_id);
  end if;
  return query
  select 'c'::text, target.thread, target.seq, found_thread.thread_id, target.ns, target.checkpoint_id, target.parent_id,
    target.metadata, target.refs, target.state, target.metadata_value, found_thread.epoch, found_thread.next_message,
    found_thread.next_value;
  if found_thread.places is not null then
    return query
    select 'p'::text, target.thread, 0::bigint, null::text, null::text, null::text, null::text, null::text, null::int[],
      found_thread.places, null::bytea, 0, 0, 0;
  end if;
  return query
  select 'w'::text, w.thread, 0::bigint, null::text, w.ns, w.checkpoint_id, w.task_id, w.channel, w.refs, w.value,
    convert_to(w.task_path, 'UTF8'), 0, w.idx, 0
  from :"schema".writes w
  where w.thread = target.thread and w.ns = target.ns and w.checkpoint_id = target.checkpoint_id;
  select range_agg(int4range(r.refs[k], r.refs[k] + r.refs[k + 1]))
  from (
    -- A long array is compressed; subscripting it would unpack it whole for every element.
    select target.refs || '{}'::int[] as refs
    union all
    select w.refs || '{}'::int[] from :"schema".writes w
    where w.thread = target.thread and w.ns = target.ns and w.checkpoint_id = target.checkpoint_id
    offset 0
  ) r, generate_series(1, cardinality(r.refs), 2) k
  into spans;
  if found_thread.label_sets <> '{}' then
    select coalesce(array_agg(s), '{}')
    from unnest(found_thread.label_sets) s where s <> all (:"schema".readable(found_thread.label_sets))
    into closed;
    if closed <> '{}' and p_owner <> p_principal and target.thread = any(:"schema".broken_threads()) then
      closed := '{}';
    end if;
    if closed <> '{}' then
      return query
      select 'x'::text, target.thread, 0::bigint, null::text, i.kind, null::text, null::text, i.envelope,
        array[i.label_set], null::bytea, null::bytea, 0, i.position, 0
      from unnest(spans) s, lateral (
        select * from :"schema".items i
        where i.thread = target.thread and i.position >= lower(s) and i.position < upper(s) and i.label_set = any(closed)
        offset 0
      ) i;
      return query
      select 's'::text, target.thread, 0::bigint, null::text, null::text, null::text, null::text,
        array_to_json(:"schema".withheld(target.thread, s))::text, null::int[], null::bytea, null::bytea, 0, s, 0
      from unnest(closed) s;
    end if;
  end if;
  if held_of = target.thread then
    spans := spans - held;
  end if;
  return query
  select 'i'::text, target.thread, 0::bigint, null::text, i.kind, null::text, null::text, i.message, null::int[],
    i.value, i.digest, 0, i.position, i.label_set
  from unnest(spans) s, lateral (
    -- One range of the key for each span, whatever the planner thinks of their number.
    select * from :"schema".items i
    where i.thread = target.thread and i.position >= lower(s) and i.position < upper(s)
    offset 0
  ) i
  where i.label_set = 0 or (
    i.label_set = any(found_thread.label_sets) and i.label_set <> all(closed)
  );
end
$$;

-- Refuse (SQLSTATE MRG07) to move encrypted content without a word of who has the key: nobody could read it there.
create function :"schema".refuse_sealed(p_thread bigint) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  latest bytea;
begin
  select substr(c.state, 1, 10) from :"schema".checkpoints c where c.thread = p_thread order by c.seq desc limit 1 into latest;
  if substr(latest, case when substr(latest, 1, 1) = '\x08' then 10 else 1 end, 1) = '\x09' then
    raise exception 'encrypted' using errcode = 'MRG07';
  end if;
end
$$;

-- Copy a thread of the principal's and what it holds, with the labels that it carries. `maker` tells this copy from a thread
-- that was there before, until a lease is taken. `p_places` is what the copy vouches for, where it is encrypted.
create function :"schema".copy_content(
  p_owner text, source text, target text, maker text, p_places bytea default null
) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  copied bigint;
begin
  if p_places is null then
    perform :"schema".refuse_sealed(t.id) from :"schema".threads t where t.owner = p_owner and t.thread_id = source;
  end if;
  insert into :"schema".threads
    (owner, thread_id, title, sealed_title, places, next_seq, next_message, next_value, label_sets, holder)
  select t.owner, target, t.title, t.sealed_title, p_places, t.next_seq, t.next_message, t.next_value, t.label_sets, maker
  from :"schema".threads t where t.owner = p_owner and t.thread_id = source
  returning id into copied;
  insert into :"schema".items (owner, thread, position, digest, kind, message, value, envelope, label_set)
  select i.owner, copied, i.position, i.digest, i.kind, i.message, i.value, i.envelope, i.label_set
  from :"schema".threads t join :"schema".items i on i.thread = t.id
  where t.owner = p_owner and t.thread_id = source and copied is not null;
end
$$;

do $$
declare
  name text;
begin
  foreach name in array array[
    'bind', 'store', 'get_parts', 'copy_content'
  ] loop
    execute format('revoke all on function %I.%I from public', :'schema', name);
    execute format('grant execute on function %I.%I to %I', :'schema', name, :'runtime_role');
  end loop;
  foreach name in array array['keep_items', 'closed_refs', 'refuse_sealed'] loop
    execute format('revoke all on function %I.%I from public', :'schema', name);
  end loop;
end
$$;
