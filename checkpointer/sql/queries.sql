-- Every statement that the checkpointer sends. `-- name:` starts a query, `-- include:` splices one in.
-- Those of every turn are functions of the schema, which bind the principal themselves; any other runs in one pipeline
-- with `bind` before it. Both ways an operation is one implicit transaction and one network round trip.

-- name: bind
-- The principal and its groups hold until the end of the transaction. Answers whether the database believes it.
-- The plans of the statements behind it take longer to make than to run, and parameters do not change them; of a table
-- without statistics, they take the index that has an order rather than sort.
select pg_catalog.set_config('mooring.principal', %(principal)s, true),
       :"schema".principal() is not distinct from %(principal)s as believed,
       pg_catalog.set_config('mooring.groups', %(groups)s::text[]::text, true),
       pg_catalog.set_config('mooring.answers', coalesce(%(answers)s::int[]::text, ''), true),
       pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),
       pg_catalog.set_config('jit', 'off', true),
       pg_catalog.set_config('enable_sort', 'off', true)

-- name: get_parts
select * from :"schema".get_parts(
  %(principal)s, %(groups)s, %(answers)s, %(owner)s, %(thread_id)s, %(ns)s, %(checkpoint_id)s, %(held_of)s, %(held)s::int4multirange
)

-- name: page
-- One page of a listing, newest first, by keyset: a page costs the same wherever it lies, and no connection is held
-- between pages. `filter` is only a sieve, the caller compares again: metadata that JSON cannot hold passes.
--
-- Of each thread, its index gives the newest below where the listing is, and below the checkpoint `before`, of which there
-- is one in each namespace; where there is none, ids are compared.
with target as materialized (
  select c.*, t.thread_id, t.epoch, t.next_message, t.next_value, t.label_sets, t.places
  from :"schema".threads t
  cross join lateral (
    select case when t.id = %(after_thread)s::bigint then %(after_seq)s::bigint end as after_seq,
      (select b.seq from :"schema".checkpoints b
       where b.thread = t.id and b.ns = %(ns)s and b.checkpoint_id = %(before)s) as before_seq
  ) place
  cross join lateral (
    select * from :"schema".checkpoints c
    where c.thread = t.id and c.owner = %(owner)s
      and c.seq < coalesce(least(place.after_seq, place.before_seq), 9223372036854775807)
      and (%(ns)s::text is null or c.ns = %(ns)s)
      and (%(checkpoint_id)s::text is null or c.checkpoint_id = %(checkpoint_id)s)
      and (%(before)s::text is null or place.before_seq is not null
        or c.seq < coalesce(
          (select b.seq from :"schema".checkpoints b
           where b.thread = c.thread and b.ns = c.ns and b.checkpoint_id = %(before)s and %(ns)s::text is null),
          case when c.checkpoint_id < %(before)s collate "C" then c.seq + 1 else 0 end))
      and (%(filter)s::text is null
        or case when c.metadata is null then true else c.metadata::jsonb @> %(filter)s::jsonb end)
    order by c.seq desc limit %(limit)s
  ) c
  where t.owner = %(owner)s and (%(thread_id)s::text is null or t.thread_id = %(thread_id)s)
    and (%(after_thread)s::bigint is null or t.id <= %(after_thread)s)
  order by c.thread desc, c.seq desc limit %(limit)s
),
-- include: parts

-- name: parts
-- The checkpoints, their pending writes, and every item that either refers to, each item once, but for those that the
-- caller has of a thread without labels; 'x', 's' and 'p' as `get_parts` has them.
pending as materialized (
  select w.* from target join :"schema".writes w
    on w.thread = target.thread and w.ns = target.ns and w.checkpoint_id = target.checkpoint_id
),
spans as materialized (
  select r.thread, unnest(
    range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1]))
    - case
      when r.thread = %(held_of)s::bigint and not exists (select from target where label_sets <> '{}')
      then %(held)s::int4multirange else '{}'
    end
  ) as span
  from (
    -- A long array is compressed; subscripting it would unpack it whole for every element.
    select thread, refs || '{}'::int[] as refs from target
    union all select thread, refs || '{}'::int[] from pending offset 0
  ) r, generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
),
content as materialized (
  select i.* from spans s, lateral (
    -- One range of the key for each span, whatever the planner thinks of their number.
    select * from :"schema".contents i
    where i.thread = s.thread and i.position >= lower(s.span) and i.position < upper(s.span)
    offset 0
  ) i
)
select 'c' as part, thread, seq, thread_id, ns, checkpoint_id, parent_id as extra, metadata as text, refs, state as bytes,
       metadata_value as more, epoch, next_message as n, next_value as m
from target
union all
select 'p', thread, 0, null, null, null, null, null, null, places, null, 0, 0, 0
from target where places is not null
union all
select 'w', thread, 0, null, ns, checkpoint_id, task_id, channel, refs, value, convert_to(task_path, 'UTF8'), 0, idx, 0
from pending
union all
select 'i', thread, 0, null, kind, null, null, message, null, value, digest, 0, position, label_set
from content where digest is not null
union all
select 'x', thread, 0, null, kind, null, null, envelope, array[label_set], null, null, 0, position, 0
from content where digest is null
union all
select 's', 0, 0, null, null, null, null, array_to_json(:"schema".withheld(thread, label_set))::text, null, null, null, 0, label_set, 0
from content where digest is null group by thread, label_set

-- name: store
select * from :"schema".store(
  %(principal)s, %(groups)s, %(owner)s, %(thread_id)s, %(known_id)s, %(epoch)s, %(since_message)s, %(since_value)s, %(lease_id)s, %(lease)s,
  %(digests)s, %(lanes)s, %(kinds)s, %(messages)s, %(values)s,
  %(envelopes)s, %(sets)s, %(label_of)s, %(label_sources)s, %(label_prints)s,
  %(read_statements)s, %(read_tables)s, %(refs)s, %(open_at)s, %(ns)s, %(at)s,
  %(task_ids)s, %(task_paths)s, %(idxs)s, %(channels)s, %(lengths)s, %(bodies)s, %(replaces)s, %(inherits)s,
  %(checkpoint_id)s, %(run_id)s, %(metadata)s, %(metadata_value)s, %(state)s
)

-- name: delete_threads
delete from :"schema".threads where owner = %(owner)s and thread_id = any(%(thread_ids)s)

-- name: require_leases
select :"schema".require_leases(%(owner)s, %(names)s::text[], %(ids)s::bigint[], %(fences)s::bigint[])

-- name: lock_threads
-- In one order everywhere, so that two prunes at once do not wait for each other.
select id from :"schema".threads where owner = %(owner)s and thread_id = any(%(thread_ids)s) order by id
for no key update

-- name: latest
-- The latest checkpoint of every namespace of these threads, and whether SQL can read the metadata of all of a thread's.
latest as materialized (
  select h.thread, h.ns, h.checkpoint_id, h.metadata, h.metadata_value,
    bool_and(h.metadata is not null) over (partition by h.thread) as plain
  from :"schema".threads t, lateral (
    select distinct on (c.ns) c.* from :"schema".checkpoints c where c.thread = t.id order by c.ns, c.seq desc
  ) h
  where t.owner = %(owner)s and t.thread_id = any(%(thread_ids)s)
)

-- name: opaque_heads
with
-- include: latest
select thread, ns, checkpoint_id, metadata, metadata_value from latest where not plain

-- name: counted_steps
-- The second number of a DeltaChannel's counter, null for anything else: whoever writes metadata is free to.
case when counter::text ~ '^\[[0-9]{1,9}, [0-9]{1,9}\]$' then (counter ->> 1)::int end

-- name: steps_back
-- How many ancestors a checkpoint is built on, as its `metadata` counts by DeltaChannel (the most counts): all that there
-- may be, where that cannot be read. It reads anything, so that nobody's metadata keeps others' threads from being pruned.
select case
  when read.m is null or jsonb_typeof(read.m -> 'counters_since_delta_snapshot') <> 'object' then 2147483647
  else coalesce(max(case when each.counter is null then 0 else coalesce(
-- include: counted_steps
  , 2147483647) end), 0)
end
from (select :"schema".readable_json(metadata) as m offset 0) read left join lateral jsonb_each(
  case when jsonb_typeof(read.m -> 'counters_since_delta_snapshot') = 'object' then read.m -> 'counters_since_delta_snapshot' end
) each (channel, counter) on true
group by read.m

-- name: prune_plain
-- A call of a subgraph names the checkpoint of the root graph in its metadata.
with recursive
-- include: latest
,
heads as materialized (
  select thread, ns, checkpoint_id, (
-- include: steps_back
  ) as depth, case when ns like '%%:%%' then :"schema".readable_json(metadata) -> 'parents' ->> '' end as root
  from latest where plain
),
-- include: pruned

-- name: prune_checkpoints
-- A namespace in which something was stored meanwhile is left for the next time.
with recursive heads as materialized (
  select h.* from unnest(%(threads)s::bigint[], %(namespaces)s::text[], %(checkpoint_ids)s::text[], %(depths)s::int[], %(roots)s::text[])
    as h (thread, ns, checkpoint_id, depth, root)
  where (
    select c.checkpoint_id from :"schema".checkpoints c
    where c.owner = %(owner)s and c.thread = h.thread and c.ns = h.ns order by c.seq desc limit 1
  ) = h.checkpoint_id
),
-- include: pruned

-- name: pruned
-- Keep of each namespace the latest checkpoint and `depth` of its ancestors, never more than there are checkpoints: parents
-- may go round in a circle. Pending writes go with their checkpoints; others may be early for theirs.
ended as materialized (
  select h.thread, h.ns from heads h
  where exists (
    select from :"schema".checkpoints c where c.thread = h.thread and c.ns = '' and c.checkpoint_id = h.root
  ) and not exists (select from heads r where r.thread = h.thread and r.ns = '' and r.checkpoint_id = h.root)
),
kept as (
  select c.thread, c.ns, c.checkpoint_id, c.parent_id, least(h.depth, (
    select count(*) from :"schema".checkpoints n where n.thread = h.thread and n.ns = h.ns
  )) as depth
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

-- name: delete_items_of_runs
-- Items that only what these runs stored refers to, before that goes. The epoch tells other processes to forget them.
with chosen as materialized (
  update :"schema".threads set epoch = epoch + 1 where owner = %(owner)s and id in (
    select thread from :"schema".checkpoints where owner = %(owner)s and run_id = any(%(run_ids)s)
  ) returning id
),
kept as materialized (
  select r.thread, range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1])) as positions
  from (
    select c.thread, c.refs from chosen join :"schema".checkpoints c on c.thread = chosen.id
    where c.run_id is null or c.run_id <> all(%(run_ids)s)
    union all
    select w.thread, w.refs from chosen join :"schema".writes w on w.thread = chosen.id
    where not exists (
      select from :"schema".checkpoints c
      where c.thread = w.thread and c.ns = w.ns and c.checkpoint_id = w.checkpoint_id and c.run_id = any(%(run_ids)s)
    )
  ) r, generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
)
delete from :"schema".items i using chosen left join kept on kept.thread = chosen.id
where i.thread = chosen.id and not (i.position <@ coalesce(kept.positions, '{}'::int4multirange))

-- name: delete_orphan_items
-- Items that nothing refers to any more. The epoch tells other processes to forget their positions.
with chosen as materialized (
  update :"schema".threads set epoch = epoch + 1 where owner = %(owner)s and thread_id = any(%(thread_ids)s)
  returning id
),
-- include: orphan_items

-- name: orphan_items
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

-- name: present_items
select position from :"schema".items where owner = %(owner)s and thread = %(thread)s and position = any(%(items)s)

-- name: copy_content
select :"schema".copy_content(%(owner)s, %(source)s, %(target)s, %(maker)s, %(places)s)

-- name: places
-- What a thread's content may have been encrypted in besides itself.
select places from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s

-- name: made_by
select 1 from :"schema".threads where owner = %(owner)s and thread_id = %(target)s and holder = %(maker)s

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
  (select count(*) from :"schema".checkpoints c where c.thread = t.id) as checkpoints, t.sealed_title, t.places
from :"schema".threads t
where t.owner = %(owner)s and t.next_seq > 0
  and (%(thread_id)s::text is null or t.thread_id = %(thread_id)s)
order by t.updated_at desc, t.id desc limit %(limit)s

-- name: why
select c.position, c.body ->> 'id', c.role, c.withheld, w.source, w.partial, w.expires_at, w.verdict, w.limits, w.missing, w.grantors
from :"schema".conversation c
left join :"schema".why(%(owner)s, %(thread_id)s) w on w.label_set = c.label_set
where c.owner = %(owner)s and c.thread_id = %(thread_id)s order by c.position, w.source

-- name: rename
-- One that is to be given only where there is none leaves another that came first.
update :"schema".threads set
  title = case when %(if_untitled)s::boolean and (title is not null or sealed_title is not null) then title else %(title)s end,
  sealed_title = case when %(if_untitled)s::boolean and (title is not null or sealed_title is not null) then sealed_title else %(sealed_title)s end
where owner = %(owner)s and thread_id = %(thread_id)s returning id

-- Feedback ----------------------------------------------------------------------------------------------------------

-- name: rate
select :"schema".rate(
  %(owner)s, %(thread_id)s, %(checkpoint_id)s, %(number)s, %(rating)s, %(comment)s, %(sealed_comment)s
)

-- name: ratings
-- Of the messages of one checkpoint.
select n.number, f.rater, f.rating, f.comment, f.sealed_comment, f.rated_at, t.places
from :"schema".threads t
join :"schema".checkpoints c on c.thread = t.id and c.ns = '' and c.checkpoint_id = %(checkpoint_id)s
cross join lateral :"schema".numbered(:"schema".conversation_refs(c.refs, c.state)) n
join :"schema".feedback f on f.thread = t.id and f.position = n.position
where t.owner = %(owner)s and t.thread_id = %(thread_id)s order by n.number, f.rated_at, f.rater

-- Sharing -----------------------------------------------------------------------------------------------------------

-- name: share
select :"schema".share(%(thread_id)s, %(grantee)s, %(is_group)s, %(role)s)

-- name: unshare
select :"schema".unshare(%(thread_id)s, %(grantee)s, %(is_group)s)

-- name: transfer
select * from :"schema".transfer(%(thread_id)s, %(to)s, %(places)s, %(other_id)s, %(other_places)s)

-- name: own_thread
select id from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s and next_seq > 0

-- name: shares
-- Of the owner's threads, or of the one named; without, those of others' threads that the owner has as well.
select s.owner, t.thread_id, s.grantee, s.is_group, s.role, s.shared_at
from :"schema".shares s join :"schema".threads t on t.owner = s.owner and t.id = s.thread
where %(thread_id)s::text is null or (t.owner = %(owner)s and t.thread_id = %(thread_id)s)
order by s.owner = %(owner)s desc, s.owner, s.shared_at, t.id, s.is_group, s.grantee

-- Audit -------------------------------------------------------------------------------------------------------------

-- name: opened
select :"schema".opened(%(owner)s, %(thread_id)s)

-- name: exported
select :"schema".exported(%(owner)s, %(thread_id)s)

-- name: break_glass
select :"schema".break_glass(%(owner)s, %(thread_id)s, %(reason)s)

-- name: broken_session
select * from :"schema".broken_session(%(owner)s, %(thread_id)s)

-- name: audit
-- Newest first. Only an auditor looks through all; the policy decides what of it anybody sees. A table may be named by its
-- last parts.
with me as materialized (
  select :"schema".principal() as name, :"schema".is_auditor() as is_auditor
),
seen as (
  select a.* from :"schema".audit a where (select is_auditor from me)
  union all
  select a.* from :"schema".audit a
  where not (select is_auditor from me)
    and (a.owner = (select name from me) or a.actor = (select name from me) or a.counterpart = (select name from me))
)
select a.at, a.actor, a.act, a.owner, a.thread_id, a.counterpart, a.role, a.reason, a.statement, coalesce(a.tables, '{}')
from seen a
where (%(thread_id)s::text is null or a.thread_id = %(thread_id)s)
  and (%(user)s::text is null or a.actor = %(user)s or a.counterpart = %(user)s)
  and (%(since)s::interval is null or a.at > now() - %(since)s)
  and (%(table)s::text is null or exists (
    select from unnest(a.tables) t where t = %(table)s or right(t, length(%(table)s) + 1) = '.' || %(table)s
  ))
order by a.id desc limit %(limit)s

-- Leases ------------------------------------------------------------------------------------------------------------

-- name: take_lease
select id, fence from :"schema".take_lease(%(owner)s, %(thread_id)s, %(seconds)s, %(holder)s, %(dead)s)

-- name: look_at_lease
select holder, extract(epoch from lease_until - clock_timestamp())::float8, fence
from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s

-- name: renew_lease
select :"schema".renew_lease(%(owner)s, %(id)s, %(fence)s, %(seconds)s)

-- name: release_lease
select :"schema".release_lease(%(owner)s, %(id)s, %(fence)s)

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
-- Everybody may enter the schema, and only those who have a business there see its version.
coalesce((
  select pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT')
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s and c.relname = 'migrations'
), false) as usable, session_user::text as role

-- name: check_version
-- And which schema of which database it is: their numbers, and when it was made.
select max(version) as version,
  concat_ws(
    '/', (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()),
    min(tableoid::bigint), extract(epoch from min(applied_at))
  ) as place
from :"schema".migrations

-- name: check_role
-- Whatever the role is or may become, by inheritance or SET ROLE, that would read past the policies: also who owns the views
-- and functions that they hang on, and may make others of them.
with ours as materialized (
  select n.oid from pg_catalog.pg_namespace n where n.nspname = %(schema)s
),
owned as materialized (
  select c.relowner as owner, c.relname::text as name, c.relkind = 'v' as depends
  from pg_catalog.pg_class c join ours on c.relnamespace = ours.oid where c.relkind in ('r', 'p', 'v')
  union all
  select p.proowner, p.proname::text, true from pg_catalog.pg_proc p join ours on p.pronamespace = ours.oid
)
select r.rolname as role, r.rolsuper as super, r.rolbypassrls as bypass,
  array(select owned.name from owned where owned.owner = r.oid order by owned.depends, owned.name limit 12) as owns
from pg_catalog.pg_roles r
where pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
  and (r.rolsuper or r.rolbypassrls or r.oid in (select owned.owner from owned))
order by r.rolname = session_user desc, r.rolname limit 1

-- name: delta_chain
-- A checkpoint and its ancestors, the nearest first, back to the oldest snapshot that the channels are rebuilt from (as
-- their counters in the metadata tell) or to the root; `cut` when there are more. `next_seq` ends parents in a circle.
with recursive bound as materialized (
  select t.id, t.epoch, t.next_seq, t.places, c.checkpoint_id, case when %(bounded)s and c.metadata is not null then (
    select case when bool_and(steps is not null) then max(steps) end
    from (
      select
-- include: counted_steps
      from unnest(%(channels)s::text[]) channel,
        lateral (select :"schema".readable_json(c.metadata) -> %(counters)s -> channel as counter offset 0) each
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
  where chain.depth < least(b.steps, b.next_seq)
)
select b.epoch, chain.checkpoint_id, chain.depth = b.steps and chain.parent_id is not null as cut, chain.refs, chain.state, b.places
from chain cross join bound b order by chain.depth

-- name: delta_parts
-- The writes to channels at checkpoints, given in pairs, and the items that they and `refs` refer to. Nothing when items
-- were deleted since `epoch`.
with place as materialized (
  select id, places from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s and epoch = %(epoch)s
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
),
content as materialized (
  select i.* from place cross join spans s join :"schema".contents i
    on i.thread = place.id and i.position >= lower(s.span) and i.position < upper(s.span)
)
select 't' as part, null as checkpoint_id, null as kind, id::text as "text", null::int[] as refs, places as bytes,
  null::bytea as more, 0 as n
from place
union all
select 'w', checkpoint_id, task_id, channel, refs, value, convert_to(task_path, 'UTF8'), idx from pending
union all
select 'i', null, kind, message, null, value, digest, position from content where digest is not null
union all
select 'x', null, kind, envelope, array[label_set], null, null, position from content where digest is null
union all
select 's', null, null, array_to_json(:"schema".withheld(thread, label_set))::text, null, null, null, label_set
from content where digest is null group by thread, label_set

-- name: outline_checkpoints
select c.ns, c.checkpoint_id, c.parent_id
from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
where t.owner = %(owner)s and t.thread_id = %(thread_id)s
order by c.seq

-- name: outline_writes
select w.ns, w.checkpoint_id, w.task_path, w.task_id, w.idx, w.channel
from :"schema".threads t join :"schema".writes w on w.thread = t.id
where t.owner = %(owner)s and t.thread_id = %(thread_id)s

-- Deleted threads -----------------------------------------------------------------------------------------------------

-- name: thread_of_checkpoint
select t.id from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
where t.owner = %(owner)s and t.thread_id = %(thread_id)s and c.ns = %(ns)s and c.checkpoint_id = %(checkpoint_id)s

-- name: epoch_of_thread
select epoch from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s and id = %(id)s

-- Legal holds, by the schema's owner --------------------------------------------------------------------------------

-- name: administer
-- Opens the policies for the schema's owner until the end of the transaction.
select pg_catalog.set_config('mooring.administer', 'on', true)

-- name: check_administrator
select session_user::text as role, pg_catalog.pg_has_role(session_user, c.relowner, 'USAGE') as administers
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relname = 'holds'

-- name: hold
-- The lock waits for whoever prunes the thread, so that what is held is what is there when this returns.
with found as materialized (
  select owner, id, thread_id from :"schema".threads
  where owner = %(owner)s and thread_id = %(thread_id)s and next_seq > 0 for update
)
insert into :"schema".holds (owner, thread, thread_id, reason)
select found.owner, found.id, found.thread_id, %(reason)s from found
on conflict (thread) do update set reason = excluded.reason
returning owner, thread_id, reason, placed_at, placed_by

-- name: release
delete from :"schema".holds h using :"schema".threads t
where t.id = h.thread and t.owner = %(owner)s and t.thread_id = %(thread_id)s
returning h.owner, h.thread_id, h.reason, h.placed_at, h.placed_by

-- name: holds
select owner, thread_id, reason, placed_at, placed_by from :"schema".holds order by owner, placed_at, thread

-- Erasure, by the schema's owner -------------------------------------------------------------------------------------

-- name: held_of
-- What they said of others' threads under hold stays with those.
select thread_id from :"schema".holds h
where owner = %(owner)s
  or exists (select from :"schema".feedback f where f.thread = h.thread and f.rater = %(owner)s)
order by placed_at, thread

-- name: lock_threads_of
select id from :"schema".threads where owner = %(owner)s order by id for update

-- name: erasing
-- What goes of a person, by table; and of the label sets and labels, what no thread that stays has.
with chosen as materialized (
  select t.id from :"schema".threads t
  where t.owner = %(owner)s and not exists (select from :"schema".holds h where h.thread = t.id)
),
unused as materialized (
  select s.id, s.labels from :"schema".label_sets s
  where s.id not in (
    select unnest(t.label_sets) from :"schema".threads t where t.id not in (select id from chosen)
  )
)
select (select count(*) from chosen),
  (select count(*) from :"schema".checkpoints c where c.thread in (select id from chosen)),
  (select count(*) from :"schema".items i where i.thread in (select id from chosen)),
  (select count(*) from :"schema".writes w where w.thread in (select id from chosen)),
  (
    select count(*) from :"schema".feedback f
    where f.thread in (select id from chosen)
      or f.rater = %(owner)s and not exists (select from :"schema".holds h where h.thread = f.thread)
  ),
  (
    select count(*) from :"schema".shares s
    where s.thread in (select id from chosen) or (s.grantee = %(owner)s and not s.is_group)
  ),
  (select count(*) from unused),
  (
    select count(*) from :"schema".labels l where l.id not in (
      select unnest(s.labels) from :"schema".label_sets s where s.id not in (select id from unused)
    )
  )

-- name: erase
-- Everything else goes with its thread. Where held threads are not to be passed over, none is expected, and one that is
-- held meanwhile ends it.
delete from :"schema".threads t
where t.owner = %(owner)s
  and not (%(except_held)s and exists (select from :"schema".holds h where h.thread = t.id))

-- name: erase_feedback
-- What they said of others' threads.
delete from :"schema".feedback f
where f.rater = %(owner)s
  and not (%(except_held)s and exists (select from :"schema".holds h where h.thread = f.thread))

-- name: erase_shares
-- What others share with them. A group may have their name, and keeps what it has.
delete from :"schema".shares s where s.grantee = %(owner)s and not s.is_group

-- name: lock_label_sets
-- Waits for whoever is about to give a set to a thread, and lets nobody find one that goes.
lock table :"schema".label_sets in access exclusive mode

-- name: erase_label_sets
delete from :"schema".label_sets s where s.id not in (select unnest(t.label_sets) from :"schema".threads t)

-- name: lock_labels
lock table :"schema".labels in access exclusive mode

-- name: erase_labels
delete from :"schema".labels l where l.id not in (select unnest(s.labels) from :"schema".label_sets s)

-- Retention ---------------------------------------------------------------------------------------------------------
-- `owner` null stands for everybody, where an administrator asks. A thread's own policy goes before the given one.

-- name: touch
select :"schema".touch(%(owner)s, %(thread_id)s, %(refresh_on_read)s, %(ttl)s)

-- name: use_parts
select * from :"schema".use_parts(
  %(principal)s, %(groups)s, %(answers)s, %(owner)s, %(thread_id)s, %(ns)s, %(checkpoint_id)s, %(held_of)s, %(held)s::int4multirange,
  %(refresh_on_read)s, %(ttl)s
)

-- name: set_retention
update :"schema".threads set keep_last = %(keep_last)s, ttl = %(ttl)s, refresh_on_read = %(refresh_on_read)s
where owner = %(owner)s and thread_id = %(thread_id)s returning id

-- name: get_retention
select keep_last, ttl, refresh_on_read from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s

-- name: is_due
-- A thread without any checkpoint is what a run left that was killed, or deleted, at its very first write. The difference
-- of two times cannot overflow, as the time before now would for a long `ttl`.
coalesce(now() - greatest(t.updated_at, t.read_at) > case
  when t.next_seq = 0 then interval '1 day' when t.refresh_on_read is null then %(ttl)s::interval else t.ttl
end, false)

-- name: keep
case when t.refresh_on_read is null then %(keep_last)s::int else t.keep_last end

-- name: is_free
not :"schema".held(t.id) and (t.lease_until is null or t.lease_until <= clock_timestamp())

-- name: is_named
(t.owner, t.id) in (select named.* from unnest(%(owners)s::text[], %(threads)s::bigint[]) named)

-- name: threads_page
from :"schema".threads t
where (%(owner)s::text is null or t.owner = %(owner)s)
  and (%(thread_ids)s::text[] is null or t.thread_id = any(%(thread_ids)s))
  and (%(after_owner)s::text is null or (t.owner, t.thread_id) > (%(after_owner)s, %(after_thread)s::text))
order by t.owner, t.thread_id limit %(limit)s

-- name: expiring_page_end
-- The last thread of a full page; the pass ends with one that is not.
select owner, thread_id from (
  select t.owner, t.thread_id, row_number() over (order by t.owner, t.thread_id) as n
-- include: threads_page
) page where n = %(limit)s

-- name: due_checkpoints
-- What goes of the threads `due`: everything where `whole`, and else what `keep` leaves of a namespace, which is its last
-- ones, the ancestors that their DeltaChannels are rebuilt from (as far back as their counters say; all where those
-- cannot be read), and of the namespace of one call of a subgraph nothing when the checkpoint that made the call goes.
ranked as materialized (
  select c.thread, c.ns, c.checkpoint_id, c.parent_id, due.whole, due.keep,
    row_number() over (partition by c.thread, c.ns order by c.seq desc) as age,
    count(*) over (partition by c.thread, c.ns) as size
  from due join :"schema".checkpoints c on c.thread = due.id
  where due.whole or due.keep is not null
),
rebuilt as (
  -- Parents may go round in a circle; no walk is longer than there are checkpoints.
  select r.thread, r.ns, r.checkpoint_id, r.parent_id, least(r.size, case
    when c.metadata like '%%"counters_since_delta_snapshot"%%' then (
-- include: steps_back
    )
    when position('counters_since_delta_snapshot'::bytea in c.metadata_value) > 0
      or substr(c.metadata_value, 1, 1) in ('\x', '\x00')
    then 2147483647
    else 0
  end) as steps
  from ranked r join :"schema".checkpoints c
    on c.thread = r.thread and c.ns = r.ns and c.checkpoint_id = r.checkpoint_id
  where not r.whole and r.age <= r.keep
  union
  select r.thread, r.ns, r.checkpoint_id, r.parent_id, rebuilt.steps - 1
  from rebuilt join ranked r on r.thread = rebuilt.thread and r.ns = rebuilt.ns and r.checkpoint_id = rebuilt.parent_id
  where rebuilt.steps > 0
),
kept as materialized (
  select distinct thread, ns, checkpoint_id from rebuilt
),
ended as materialized (
  select r.thread, r.ns
  from ranked r
  join :"schema".checkpoints c on c.thread = r.thread and c.ns = r.ns and c.checkpoint_id = r.checkpoint_id
  join ranked root on root.thread = r.thread and root.ns = ''
    and root.checkpoint_id = :"schema".readable_json(c.metadata) -> 'parents' ->> ''
  left join kept on kept.thread = r.thread and kept.ns = '' and kept.checkpoint_id = root.checkpoint_id
  where r.age = 1 and not r.whole and r.ns like '%%:%%' and kept.thread is null
),
old as materialized (
  select r.thread, r.ns, r.checkpoint_id
  from ranked r
  left join kept on kept.thread = r.thread and kept.ns = r.ns and kept.checkpoint_id = r.checkpoint_id
  left join ended on ended.thread = r.thread and ended.ns = r.ns
  where kept.thread is null or ended.thread is not null
)

-- name: expiring
-- What would go of a page of threads: whole ones, and of the others older checkpoints, their pending writes, and items
-- that nothing else refers to.
with recursive page as materialized (
  select t.owner, t.thread_id, t.id, greatest(t.updated_at, t.read_at) as used_at, t.lease_until,
-- include: is_due
  as whole,
-- include: keep
  as keep
-- include: threads_page
),
due as (select id, whole, keep from page),
-- include: due_checkpoints
,
chosen as materialized (
  select page.* from page where page.whole or page.id in (select thread from old)
),
checkpoints as materialized (
  select c.thread, c.refs, pg_column_size(c.state) + pg_column_size(c.refs) + coalesce(pg_column_size(c.metadata), 0)
      + coalesce(pg_column_size(c.metadata_value), 0) as bytes,
    old.thread is not null as goes
  from chosen join :"schema".checkpoints c on c.thread = chosen.id
  left join old on old.thread = c.thread and old.ns = c.ns and old.checkpoint_id = c.checkpoint_id
),
written as materialized (
  select w.thread, w.refs, pg_column_size(w.value) + pg_column_size(w.refs) as bytes,
    chosen.whole or old.thread is not null as goes
  from chosen join :"schema".writes w on w.thread = chosen.id
  left join old on old.thread = w.thread and old.ns = w.ns and old.checkpoint_id = w.checkpoint_id
),
referred as materialized (
  select r.thread, range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1])) as positions
  from (
    -- A long array is compressed; subscripting it would unpack it whole for every element.
    select thread, refs || '{}'::int[] as refs from checkpoints where not goes
    union all
    select thread, refs || '{}'::int[] from written where not goes
    offset 0
  ) r, generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
),
going as (
  select thread, 1 as checkpoint, bytes from checkpoints where goes
  union all
  select thread, 0, bytes from written where goes
  union all
  select i.thread, 0, i.size
  from chosen join :"schema".contents i on i.thread = chosen.id left join referred on referred.thread = i.thread
  where not (i.position <@ coalesce(referred.positions, '{}'::int4multirange))
)
select t.owner, t.thread_id, t.id, t.used_at, t.whole, coalesce(sum(going.checkpoint), 0)::bigint as checkpoints,
  count(going.thread) + t.whole::int as rows, coalesce(sum(going.bytes), 0)::bigint as bytes,
  case
    when :"schema".held(t.id) then 'legal hold'
    when t.lease_until > clock_timestamp() then 'a run is going'
  end as blocked
from chosen t left join going on going.thread = t.id
group by t.owner, t.thread_id, t.id, t.used_at, t.whole, t.lease_until
order by t.owner, t.thread_id

-- name: lock_expiring
-- A statement of its own, so that those after it see what earlier holders of the locks committed.
select t.id from :"schema".threads t where
-- include: is_named
order by t.id for update

-- name: delete_expired
delete from :"schema".threads t where
-- include: is_named
and
-- include: is_due
and
-- include: is_free
returning t.id

-- name: prune_expired
with recursive due as (
  select t.id, false as whole,
-- include: keep
  as keep
  from :"schema".threads t where
-- include: is_named
  and
-- include: is_free
),
-- include: due_checkpoints
,
unwritten as (
  delete from :"schema".writes w using old
  where w.thread = old.thread and w.ns = old.ns and w.checkpoint_id = old.checkpoint_id
),
gone as (
  delete from :"schema".checkpoints c using old
  where c.thread = old.thread and c.ns = old.ns and c.checkpoint_id = old.checkpoint_id
  returning c.thread
)
select distinct thread from gone

-- name: cut_expired_parents
-- A checkpoint whose parent is gone begins the history.
update :"schema".checkpoints c set parent_id = null
from :"schema".threads t
where t.id = c.thread and not :"schema".held(t.id) and c.parent_id is not null and not exists (
  select from :"schema".checkpoints p where p.thread = c.thread and p.ns = c.ns and p.checkpoint_id = c.parent_id
) and
-- include: is_named

-- name: delete_expired_items
with chosen as materialized (
  update :"schema".threads t set epoch = t.epoch + 1 where
-- include: is_named
  and not :"schema".held(t.id) returning t.id
),
-- include: orphan_items

-- Encrypting what is stored, by the schema's owner ---------------------------------------------------------------------
-- What is encrypted under a key begins with its `head`, which has this `length`.

-- name: stale_item
substr(i.value, 1, %(length)s) is distinct from %(head)s::bytea

-- name: stale_checkpoint
substr(c.metadata_value, 1, %(length)s) is distinct from %(head)s::bytea
or substr(c.state, case when get_byte(c.state, 0) = 8 then 10 else 1 end, %(length)s) <> %(head)s::bytea

-- name: stale_write
substr(w.value, 1, %(length)s) <> %(head)s::bytea

-- name: stale_opinion
f.comment is not null or substr(f.sealed_comment, 1, %(length)s) <> %(head)s::bytea

-- name: is_stale
t.title is not null or substr(t.sealed_title, 1, %(length)s) <> %(head)s::bytea
or substr(t.places, 1, %(length)s) <> %(head)s::bytea

-- name: stale_threads
-- A page of the threads that hold something else, with the number of such rows.
select id, owner, thread_id, rows, :"schema".held(id) from (
  select t.id, t.owner, t.thread_id, case when
-- include: is_stale
  then 1 else 0 end
  + (select count(*) from :"schema".items i where i.thread = t.id and (
-- include: stale_item
  )) + (select count(*) from :"schema".checkpoints c where c.thread = t.id and (
-- include: stale_checkpoint
  )) + (select count(*) from :"schema".writes w where w.thread = t.id and (
-- include: stale_write
  )) + (select count(*) from :"schema".feedback f where f.thread = t.id and (
-- include: stale_opinion
  )) as rows
  from :"schema".threads t where t.id > %(after)s and (%(owner)s::text is null or t.owner = %(owner)s) order by t.id
) counted where rows > 0 limit %(limit)s

-- name: lock_stale_thread
select t.owner, t.thread_id, t.title, t.sealed_title, t.places, coalesce(
-- include: is_stale
, false)
from :"schema".threads t where t.id = %(thread)s for no key update

-- name: reseal_thread
update :"schema".threads set title = null, sealed_title = %(sealed_title)s, places = %(places)s where id = %(thread)s

-- name: stale_items
select i.position, i.kind, i.digest, i.message, i.value, i.envelope from :"schema".items i where i.thread = %(thread)s and (
-- include: stale_item
) order by i.position limit %(limit)s

-- name: reseal_items
update :"schema".items set digest = %(digest)s, message = null, value = %(value)s, envelope = %(envelope)s
where thread = %(thread)s and position = %(position)s

-- name: stale_checkpoints
select c.ns, c.checkpoint_id, c.metadata, c.metadata_value, c.state
from :"schema".checkpoints c where c.thread = %(thread)s and (
-- include: stale_checkpoint
) order by c.seq limit %(limit)s

-- name: reseal_checkpoints
update :"schema".checkpoints set metadata = %(metadata)s, metadata_value = %(metadata_value)s, state = %(state)s
where thread = %(thread)s and ns = %(ns)s and checkpoint_id = %(checkpoint_id)s

-- name: stale_writes
select w.ns, w.checkpoint_id, w.task_id, w.idx, w.channel, w.value
from :"schema".writes w where w.thread = %(thread)s and (
-- include: stale_write
) order by w.ns, w.checkpoint_id, w.task_id, w.idx limit %(limit)s

-- name: reseal_writes
update :"schema".writes set value = %(value)s
where thread = %(thread)s and ns = %(ns)s and checkpoint_id = %(checkpoint_id)s and task_id = %(task_id)s and idx = %(idx)s

-- name: stale_feedback
select f.position, f.rater, f.comment, f.sealed_comment
from :"schema".feedback f where f.thread = %(thread)s and (
-- include: stale_opinion
) order by f.position, f.rater limit %(limit)s

-- name: reseal_feedback
update :"schema".feedback set comment = null, sealed_comment = %(sealed_comment)s
where thread = %(thread)s and position = %(position)s and rater = %(rater)s
