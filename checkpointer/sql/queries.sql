-- Every statement that the checkpointer sends. `-- name:` starts a query, `-- include:` splices one in.
-- Those of every turn are functions of the schema, which bind the principal themselves; any other runs in one pipeline
-- with `bind` before it. Both ways an operation is one implicit transaction and one network round trip.

-- name: bind
-- The principal holds until the end of the transaction. Answers whether the database believes it.
-- The plans of the statements behind it take longer to make than to run, and parameters do not change them.
select pg_catalog.set_config('mooring.principal', %(principal)s, true),
       :"schema".principal() is not distinct from %(principal)s as believed,
       pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),
       pg_catalog.set_config('jit', 'off', true)

-- name: get_parts
select * from :"schema".get_parts(%(principal)s, %(thread_id)s, %(ns)s, %(checkpoint_id)s)

-- name: page
-- One page of a listing, newest first, by keyset: a page costs the same wherever it lies, and no connection is held
-- between pages. `filter` is only a sieve, the caller compares again: metadata that JSON cannot hold passes.
with target as materialized (
  select c.*, t.thread_id, t.epoch, t.next_message, t.next_value
  from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
  where t.owner = %(owner)s and c.owner = %(owner)s
    and (%(thread_id)s::text is null or t.thread_id = %(thread_id)s)
    and (%(ns)s::text is null or c.ns = %(ns)s)
    and (%(checkpoint_id)s::text is null or c.checkpoint_id = %(checkpoint_id)s)
    and (%(before)s::text is null
      or c.seq < coalesce(
        (select b.seq from :"schema".checkpoints b
         where b.thread = c.thread and b.ns = c.ns and b.checkpoint_id = %(before)s),
        case when c.checkpoint_id < %(before)s collate "C" then c.seq + 1 else 0 end))
    and (%(after_thread)s::bigint is null or (c.thread, c.seq) < (%(after_thread)s, %(after_seq)s::bigint))
    and (%(filter)s::text is null
      or case when c.metadata is null then true else c.metadata::jsonb @> %(filter)s::jsonb end)
  order by c.thread desc, c.seq desc limit %(limit)s
),
-- include: parts

-- name: parts
-- The checkpoints, their pending writes, and every item that either refers to, each item once.
pending as materialized (
  select w.* from target join :"schema".writes w
    on w.thread = target.thread and w.ns = target.ns and w.checkpoint_id = target.checkpoint_id
),
spans as materialized (
  select r.thread, unnest(range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1]))) as span
  from (
    -- A long array is compressed; subscripting it would unpack it whole for every element.
    select thread, refs || '{}'::int[] as refs from target
    union all select thread, refs || '{}'::int[] from pending offset 0
  ) r, generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
)
select 'c' as part, thread, seq, thread_id, ns, checkpoint_id, parent_id as extra, metadata as text, refs, state as bytes,
       metadata_value as more, epoch, next_message as n, next_value as m
from target
union all
select 'w', thread, 0, null, ns, checkpoint_id, task_id, channel, refs, value, convert_to(task_path, 'UTF8'), 0, idx, 0
from pending
union all
select 'i', s.thread, 0, null, i.kind, null, null, i.message, null, i.value, i.digest, 0, i.position, 0
from spans s, lateral (
  -- One range of the key for each span, whatever the planner thinks of their number.
  select * from :"schema".items i
  where i.thread = s.thread and i.position >= lower(s.span) and i.position < upper(s.span)
  offset 0
) i

-- name: put
select * from :"schema".put(
  %(principal)s, %(thread_id)s, %(known_id)s, %(epoch)s, %(since_message)s, %(since_value)s, %(lease_id)s, %(lease)s,
  %(digests)s, %(lanes)s, %(kinds)s, %(messages)s, %(values)s, %(refs)s, %(open_at)s,
  %(ns)s, %(checkpoint_id)s, %(parent_id)s, %(run_id)s, %(metadata)s, %(metadata_value)s, %(state)s
)

-- name: put_writes
select * from :"schema".put_writes(
  %(principal)s, %(thread_id)s, %(known_id)s, %(epoch)s, %(since_message)s, %(since_value)s, %(lease_id)s, %(lease)s,
  %(digests)s, %(lanes)s, %(kinds)s, %(messages)s, %(values)s, %(refs)s, %(open_at)s,
  %(ns)s, %(checkpoint_id)s, %(task_id)s, %(task_path)s, %(idxs)s, %(channels)s, %(lengths)s, %(bodies)s, %(replaces)s
)

-- name: delete_threads
delete from :"schema".threads where owner = %(owner)s and thread_id = any(%(thread_ids)s)

-- name: lock_threads
-- In one order everywhere, so that two prunes at once do not wait for each other.
select id from :"schema".threads where owner = %(owner)s and thread_id = any(%(thread_ids)s) order by id
for no key update

-- name: prune_heads
-- The latest checkpoint of every namespace of these threads.
select h.thread, h.ns, h.checkpoint_id, h.metadata, h.metadata_value
from :"schema".threads t, lateral (
  select distinct on (c.ns) c.* from :"schema".checkpoints c where c.thread = t.id order by c.ns, c.seq desc
) h
where t.owner = %(owner)s and t.thread_id = any(%(thread_ids)s)

-- name: prune_checkpoints
-- Keep of each namespace the latest checkpoint and `depth` of its ancestors. A namespace in which something was stored
-- meanwhile is left for the next time. Pending writes go with their checkpoints; others may be early for theirs.
with recursive heads as materialized (
  select h.* from unnest(%(threads)s::bigint[], %(namespaces)s::text[], %(checkpoint_ids)s::text[], %(depths)s::int[], %(roots)s::text[])
    as h (thread, ns, checkpoint_id, depth, root)
  where (
    select c.checkpoint_id from :"schema".checkpoints c
    where c.owner = %(owner)s and c.thread = h.thread and c.ns = h.ns order by c.seq desc limit 1
  ) = h.checkpoint_id
),
ended as materialized (
  select h.thread, h.ns from heads h
  where exists (
    select from :"schema".checkpoints c where c.thread = h.thread and c.ns = '' and c.checkpoint_id = h.root
  ) and not exists (select from heads r where r.thread = h.thread and r.ns = '' and r.checkpoint_id = h.root)
),
kept as (
  select c.thread, c.ns, c.checkpoint_id, c.parent_id, h.depth
  from heads h join :"schema".checkpoints c on (c.thread, c.ns, c.checkpoint_id) = (h.thread, h.ns, h.checkpoint_id)
  where (h.thread, h.ns) not in (select thread, ns from ended)
  union all
  select c.thread, c.ns, c.checkpoint_id, c.parent_id, k.depth - 1
  from kept k join :"schema".checkpoints c on (c.thread, c.ns, c.checkpoint_id) = (k.thread, k.ns, k.parent_id)
  where k.depth > 0
),
gone as (
  delete from :"schema".checkpoints c using heads h
  where c.owner = %(owner)s and (c.thread, c.ns) = (h.thread, h.ns)
    and not exists (select from kept k where (k.thread, k.ns, k.checkpoint_id) = (c.thread, c.ns, c.checkpoint_id))
  returning c.thread, c.ns, c.checkpoint_id
)
delete from :"schema".writes w using gone
where w.owner = %(owner)s and (w.thread, w.ns, w.checkpoint_id) = (gone.thread, gone.ns, gone.checkpoint_id)

-- name: cut_parents
-- A checkpoint whose parent is gone begins the history.
update :"schema".checkpoints c set parent_id = null
from :"schema".threads t
where t.owner = %(owner)s and t.thread_id = any(%(thread_ids)s) and c.owner = t.owner and c.thread = t.id
  and c.parent_id is not null and not exists (
    select from :"schema".checkpoints p where (p.thread, p.ns, p.checkpoint_id) = (c.thread, c.ns, c.parent_id)
  )

-- name: lock_threads_of_runs
select id from :"schema".threads where owner = %(owner)s and id in (
  select thread from :"schema".checkpoints where owner = %(owner)s and run_id = any(%(run_ids)s)
) order by id for no key update

-- name: delete_runs
with gone as (
  delete from :"schema".checkpoints where owner = %(owner)s and run_id = any(%(run_ids)s) returning thread
)
select distinct t.thread_id from gone join :"schema".threads t on t.id = gone.thread

-- name: delete_run_writes
delete from :"schema".writes w using :"schema".checkpoints c
where c.owner = %(owner)s and c.run_id = any(%(run_ids)s)
  and w.thread = c.thread and w.ns = c.ns and w.checkpoint_id = c.checkpoint_id

-- name: delete_orphan_items
-- Items that nothing refers to any more. The epoch tells other processes to forget their positions.
with chosen as materialized (
  update :"schema".threads set epoch = epoch + 1 where owner = %(owner)s and thread_id = any(%(thread_ids)s)
  returning id
),
kept as materialized (
  select r.thread, range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1])) as positions
  from (
    select c.thread, c.refs from :"schema".checkpoints c join chosen on chosen.id = c.thread
    union all
    select w.thread, w.refs from :"schema".writes w join chosen on chosen.id = w.thread
  ) r, generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
)
delete from :"schema".items i using chosen left join kept on kept.thread = chosen.id
where i.thread = chosen.id and not (i.position <@ coalesce(kept.positions, '{}'::int4multirange))

-- name: copy_thread
-- `holder` tells this copy from a thread that was there before, until a lease is taken.
insert into :"schema".threads (owner, thread_id, title, next_seq, next_message, next_value, holder)
select owner, %(target)s, title, next_seq, next_message, next_value, %(maker)s from :"schema".threads
where owner = %(owner)s and thread_id = %(source)s

-- name: made_by
select 1 from :"schema".threads where owner = %(owner)s and thread_id = %(target)s and holder = %(maker)s

-- name: copy_items
insert into :"schema".items (owner, thread, position, digest, kind, message, value)
select %(owner)s, target.id, i.position, i.digest, i.kind, i.message, i.value
-- include: copied
join :"schema".items i on i.thread = source.id

-- name: copy_checkpoints
insert into :"schema".checkpoints
  (owner, thread, seq, ns, checkpoint_id, parent_id, run_id, created_at, metadata, metadata_value, refs, state)
select %(owner)s, target.id, c.seq, c.ns, c.checkpoint_id, c.parent_id, c.run_id, c.created_at, c.metadata,
  c.metadata_value, c.refs, c.state
-- include: copied
join :"schema".checkpoints c on c.thread = source.id

-- name: copy_writes
insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
select %(owner)s, target.id, w.ns, w.checkpoint_id, w.task_id, w.idx, w.channel, w.task_path, w.refs, w.value
-- include: copied
join :"schema".writes w on w.thread = source.id

-- name: copied
from :"schema".threads source join :"schema".threads target
  on source.owner = %(owner)s and source.thread_id = %(source)s
  and target.owner = %(owner)s and target.thread_id = %(target)s

-- name: sessions
select t.thread_id, t.owner, t.title, t.created_at, t.updated_at,
  (select count(*) from :"schema".checkpoints c where c.thread = t.id) as checkpoints
from :"schema".threads t
where t.owner = %(owner)s and t.next_seq > 0
  and (%(thread_id)s::text is null or t.thread_id = %(thread_id)s)
order by t.updated_at desc, t.id desc limit %(limit)s

-- name: rename
update :"schema".threads set title = %(title)s where owner = %(owner)s and thread_id = %(thread_id)s returning id

-- name: take_lease
-- The thread's lease, if it is free, ran out, is the one (`dead`) whose holder is known to be gone, or is this try's own.
insert into :"schema".threads as t (owner, thread_id, fence, lease_until, holder)
values (%(owner)s, %(thread_id)s, 1, clock_timestamp() + make_interval(secs => %(seconds)s), %(holder)s)
on conflict (owner, thread_id) do update
set fence = t.fence + 1, lease_until = excluded.lease_until, holder = excluded.holder
where t.lease_until is null or t.lease_until <= clock_timestamp() or t.fence = %(dead)s::bigint or t.holder = %(holder)s
returning id, fence

-- name: look_at_lease
select holder, extract(epoch from lease_until - clock_timestamp())::float8, fence
from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s

-- name: renew_lease
update :"schema".threads set lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
where owner = %(owner)s and id = %(id)s and fence = %(fence)s returning id

-- name: release_lease
update :"schema".threads set lease_until = null, holder = null
where owner = %(owner)s and id = %(id)s and fence = %(fence)s

-- name: delete_unused_thread
-- A run that stored nothing leaves nothing.
delete from :"schema".threads t
where t.owner = %(owner)s and t.id = %(id)s and t.fence = %(fence)s and t.next_seq = 0
  and not exists (select from :"schema".items i where i.thread = t.id)
  and not exists (select from :"schema".writes w where w.thread = t.id)

-- name: check_schema
select exists (
  select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s and c.relname = 'migrations'
) as present,
coalesce((
  select pg_catalog.has_schema_privilege(n.oid, 'USAGE') from pg_catalog.pg_namespace n where n.nspname = %(schema)s
), false) as usable, session_user::text as role

-- name: check_version
select max(version) as version from :"schema".migrations

-- name: check_role
-- Whatever the role is or may become, by inheritance or SET ROLE, that would read past the policies.
select r.rolname as role, r.rolsuper as super, r.rolbypassrls as bypass,
  array(
    select c.relname::text from pg_catalog.pg_class c
    where c.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = %(schema)s) and c.relkind in ('r', 'p') and c.relowner = r.oid
  ) as owns
from pg_catalog.pg_roles r
where pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
  and (r.rolsuper or r.rolbypassrls or exists (
    select from pg_catalog.pg_class c
    where c.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = %(schema)s) and c.relkind in ('r', 'p') and c.relowner = r.oid
  ))
order by r.rolname = session_user desc, r.rolname limit 1

-- name: delta_chain
-- A checkpoint and its ancestors, the nearest first, back to the oldest snapshot that the channels are rebuilt from (as
-- their counters in the metadata tell) or to the root; `cut` when there are more. `next_seq` ends parents in a circle.
with recursive bound as materialized (
  select t.id, t.epoch, t.next_seq, c.checkpoint_id, case when %(bounded)s and c.metadata is not null then (
    select case when bool_and(steps is not null) then max(steps) end
    from (
      select (c.metadata::jsonb -> %(counters)s -> channel ->> 1)::int from unnest(%(channels)s::text[]) channel
    ) counted (steps)
  ) end as steps
  from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
  where t.owner = %(owner)s and t.thread_id = %(thread_id)s and c.owner = %(owner)s and c.ns = %(ns)s
    and (%(checkpoint_id)s::text is null or c.checkpoint_id = %(checkpoint_id)s)
  order by c.seq desc limit 1
),
chain as (
  select 0 as depth, c.checkpoint_id, c.parent_id, c.refs, c.state
  from bound b join :"schema".checkpoints c on c.thread = b.id and c.ns = %(ns)s and c.checkpoint_id = b.checkpoint_id
  union all
  select chain.depth + 1, c.checkpoint_id, c.parent_id, c.refs, c.state
  from chain cross join bound b
  join :"schema".checkpoints c on c.thread = b.id and c.ns = %(ns)s and c.checkpoint_id = chain.parent_id
  where chain.depth < coalesce(b.steps, b.next_seq)
)
select b.epoch, chain.checkpoint_id, chain.depth = b.steps and chain.parent_id is not null as cut, chain.refs, chain.state
from chain cross join bound b order by chain.depth

-- name: delta_parts
-- The writes to channels at checkpoints, given in pairs, and the items that they and `refs` refer to. Nothing when items
-- were deleted since `epoch`.
with place as materialized (
  select id from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s and epoch = %(epoch)s
),
pending as materialized (
  select w.* from place cross join unnest(%(channels)s::text[], %(checkpoint_ids)s::text[]) as u (channel, checkpoint_id)
  join :"schema".writes w
    on w.owner = %(owner)s and w.thread = place.id and w.ns = %(ns)s and w.checkpoint_id = u.checkpoint_id
    and w.channel = u.channel
),
spans as materialized (
  select unnest(range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1]))) as span
  from (select refs from pending union all select %(refs)s::int[]) r, generate_series(1, cardinality(r.refs), 2) i
)
select 't' as part, null as checkpoint_id, null as kind, null as "text", null::int[] as refs, null::bytea as bytes,
  null::bytea as more, 0 as n
from place
union all
select 'w', checkpoint_id, task_id, channel, refs, value, convert_to(task_path, 'UTF8'), idx from pending
union all
select 'i', null, i.kind, i.message, null, i.value, i.digest, i.position
from place cross join spans s join :"schema".items i
  on i.thread = place.id and i.position >= lower(s.span) and i.position < upper(s.span)

-- name: outline_checkpoints
select c.ns, c.checkpoint_id, c.parent_id
from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
where t.owner = %(owner)s and t.thread_id = %(thread_id)s
order by c.seq

-- name: outline_writes
select w.ns, w.checkpoint_id, w.task_path, w.task_id, w.idx, w.channel
from :"schema".threads t join :"schema".writes w on w.thread = t.id
where t.owner = %(owner)s and t.thread_id = %(thread_id)s
