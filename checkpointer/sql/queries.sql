-- Every statement that the checkpointer sends. `-- name:` starts a query, `-- include:` splices one in.
-- Each runs inside one pipeline with `bind` before it: one implicit transaction, one network round trip.

-- name: bind
-- The principal holds until the end of the transaction. Answers whether the database believes it.
select pg_catalog.set_config('mooring.principal', %(principal)s, true),
       :"schema".principal() is not distinct from %(principal)s as believed

-- name: latest
with target as materialized (
  select c.*, t.thread_id, t.epoch, t.next_message, t.next_value
  from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
  where t.owner = %(owner)s and t.thread_id = %(thread_id)s and c.owner = %(owner)s and c.ns = %(ns)s
  order by c.seq desc limit 1
),
-- include: parts

-- name: by_id
with target as materialized (
  select c.*, t.thread_id, t.epoch, t.next_message, t.next_value
  from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
  where t.owner = %(owner)s and t.thread_id = %(thread_id)s and c.owner = %(owner)s and c.ns = %(ns)s
    and c.checkpoint_id = %(checkpoint_id)s
),
-- include: parts

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
  from (select thread, refs from target union all select thread, refs from pending) r,
    generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
)
select 'c' as part, thread, seq, thread_id, ns, checkpoint_id, parent_id as extra, metadata as text, refs, state as bytes,
       metadata_value as more, epoch, next_message as n, next_value as m
from target
union all
select 'w', thread, 0, null, ns, checkpoint_id, task_id, channel, refs, value, convert_to(task_path, 'UTF8'), 0, idx, 0
from pending
union all
select 'i', i.thread, 0, null, i.kind, null, null, i.message, null, i.value, i.digest, 0, i.position, 0
from spans s join :"schema".items i
  on i.thread = s.thread and i.position >= lower(s.span) and i.position < upper(s.span)

-- name: ensure_thread
insert into :"schema".threads (owner, thread_id) values (%(owner)s, %(thread_id)s)
on conflict (owner, thread_id) do nothing

-- name: lock_thread
-- A statement of its own, so that the one after it sees what earlier holders of the lock committed.
select id, fence from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s for no key update

-- name: store
-- Stores the given items that the thread does not hold yet, and resolves references to them: -n stands for the n-th
-- given item. Only positions that the caller has not seen (`since`) need be searched for an equal item. Nothing is
-- done when what the caller remembers of the thread (`known_id`, `epoch`) is out of date, or its lease is.
with place as materialized (
  select id, epoch, next_message, next_value, next_seq from :"schema".threads
  where owner = %(owner)s and thread_id = %(thread_id)s
    and (%(known_id)s::bigint is null or (id = %(known_id)s and epoch = coalesce(%(epoch)s::int, epoch)))
    and (%(lease_thread)s::bigint is null or (id = %(lease_thread)s and fence = %(lease)s::bigint))
),
given as materialized (
  select g.*, (
    select i.position from :"schema".items i
    where i.thread = place.id and i.digest = g.digest
      and (i.position >= %(since_value)s or i.position between %(since_message)s and 1073741823)
    limit 1
  ) as found
  from place, unnest(%(digests)s::bytea[], %(lanes)s::int[], %(kinds)s::text[], %(messages)s::text[], %(values)s::bytea[])
    with ordinality as g (digest, lane, kind, message, value, n)
),
numbered as materialized (
  select given.*,
    coalesce(found, case lane when 0 then place.next_message else place.next_value end
      + (row_number() over (partition by found is null, lane order by n))::int - 1) as position
  from given, place
),
stored as (
  insert into :"schema".items (owner, thread, position, digest, kind, message, value)
  select %(owner)s, place.id, position, digest, kind, message, value from numbered, place where found is null
),
moved as (
  update :"schema".threads t
  set next_seq = t.next_seq + %(seqs)s, updated_at = now(),
      next_message = t.next_message + (select count(*) from numbered where found is null and lane = 0)::int,
      next_value = t.next_value + (select count(*) from numbered where found is null and lane = 1)::int
  from place where t.id = place.id and t.owner = %(owner)s
),
resolved as materialized (
  select coalesce(array_agg(case when r.ref < 0 then numbered.position else r.ref end order by r.n), '{}') as refs
  from unnest(%(refs)s::int[]) with ordinality as r (ref, n) left join numbered on numbered.n = -r.ref
),

-- name: put
-- include: store
put as (
  insert into :"schema".checkpoints
    (owner, thread, seq, ns, checkpoint_id, parent_id, run_id, metadata, metadata_value, refs, state)
  select %(owner)s, place.id, place.next_seq, %(ns)s, %(checkpoint_id)s, %(parent_id)s, %(run_id)s, %(metadata)s,
    %(metadata_value)s, resolved.refs, %(state)s
  from place, resolved
  on conflict (thread, ns, checkpoint_id) do update
  set parent_id = excluded.parent_id, run_id = excluded.run_id, metadata = excluded.metadata,
      metadata_value = excluded.metadata_value, refs = excluded.refs, state = excluded.state
)
select place.id, place.epoch, place.next_message, place.next_value, array(select position from numbered order by n) as positions from place

-- name: written
-- One row a write; `lengths` cuts the resolved references into theirs.
written as (
  select %(owner)s, place.id, %(ns)s, %(checkpoint_id)s, %(task_id)s, w.idx, w.channel, %(task_path)s,
    resolved.refs[w.past - w.length + 1 : w.past], w.value
  from place, resolved, (
    select u.*, sum(u.length) over (order by u.n)::int as past
    from unnest(%(idxs)s::int[], %(channels)s::text[], %(lengths)s::int[], %(bodies)s::bytea[])
      with ordinality as u (idx, channel, length, value, n)
  ) w
),

-- name: put_writes
-- include: store
-- include: written
put as (
  insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
  select * from written
  on conflict (thread, ns, checkpoint_id, task_id, idx) do nothing
)
select place.id, place.epoch, place.next_message, place.next_value, array(select position from numbered order by n) as positions from place

-- name: put_special_writes
-- A batch of only errors, interrupts and the like replaces what was there (LangGraph's WRITES_IDX_MAP).
-- include: store
-- include: written
put as (
  insert into :"schema".writes (owner, thread, ns, checkpoint_id, task_id, idx, channel, task_path, refs, value)
  select * from written
  on conflict (thread, ns, checkpoint_id, task_id, idx) do update
  set channel = excluded.channel, task_path = excluded.task_path, refs = excluded.refs, value = excluded.value
)
select place.id, place.epoch, place.next_message, place.next_value, array(select position from numbered order by n) as positions from place

-- name: delete_threads
delete from :"schema".threads where owner = %(owner)s and thread_id = any(%(thread_ids)s)

-- name: lock_threads
-- In one order everywhere, so that two prunes at once do not wait for each other.
select id from :"schema".threads where owner = %(owner)s and thread_id = any(%(thread_ids)s) order by id
for no key update

-- name: delta_threads
-- Threads with a DeltaChannel keep its counters in their metadata; LangGraph writes them as tuples, which JSON has not,
-- so they are usually among the serialised. What somebody's serializer hides (its tag is 0) may hold them as well.
select distinct t.thread_id from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
where t.owner = %(owner)s and t.thread_id = any(%(thread_ids)s)
  and
-- include: is_delta
limit 1

-- name: is_delta
(c.metadata like '%%"counters_since_delta_snapshot"%%'
  or position('counters_since_delta_snapshot'::bytea in c.metadata_value) > 0 or get_byte(c.metadata_value, 0) = 0)

-- name: prune_checkpoints
delete from :"schema".checkpoints c using :"schema".threads t
where t.id = c.thread and t.owner = %(owner)s and t.thread_id = any(%(thread_ids)s)
  and exists (
    select from :"schema".checkpoints newer where newer.thread = c.thread and newer.ns = c.ns and newer.seq > c.seq
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

-- name: delete_orphan_writes
delete from :"schema".writes w using :"schema".threads t
where t.id = w.thread and t.owner = %(owner)s and t.thread_id = any(%(thread_ids)s)
  and not exists (
    select from :"schema".checkpoints c
    where c.thread = w.thread and c.ns = w.ns and c.checkpoint_id = w.checkpoint_id
  )

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

-- name: copy_thread
insert into :"schema".threads (owner, thread_id, title, next_seq, next_message, next_value)
select owner, %(target)s, title, next_seq, next_message, next_value from :"schema".threads
where owner = %(owner)s and thread_id = %(source)s

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
-- The thread's lease, if it is free, ran out, or is the one (`dead`) whose holder is known to be gone.
insert into :"schema".threads as t (owner, thread_id, fence, lease_until, holder)
values (%(owner)s, %(thread_id)s, 1, clock_timestamp() + make_interval(secs => %(seconds)s), %(holder)s)
on conflict (owner, thread_id) do update
set fence = t.fence + 1, lease_until = excluded.lease_until, holder = excluded.holder
where t.lease_until is null or t.lease_until <= clock_timestamp() or t.fence = %(dead)s::bigint
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

-- Deleted threads -----------------------------------------------------------------------------------------------------

-- name: thread_of_checkpoint
select t.id from :"schema".threads t join :"schema".checkpoints c on c.thread = t.id
where t.owner = %(owner)s and t.thread_id = %(thread_id)s and c.ns = %(ns)s and c.checkpoint_id = %(checkpoint_id)s

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

-- Retention ---------------------------------------------------------------------------------------------------------
-- `owner` null stands for everybody, where an administrator asks. A thread's own policy goes before the given one.

-- name: touch
-- Where reads count as use, a thread's last use moves at most once a minute, and never for a read just after a write.
update :"schema".threads t set read_at = now()
where t.owner = %(owner)s and t.thread_id = %(thread_id)s and coalesce(t.refresh_on_read, %(refresh_on_read)s)
  and greatest(t.updated_at, t.read_at)
    < now() - least(interval '1 minute', case when t.refresh_on_read is null then %(ttl)s::interval else t.ttl end / 10)

-- name: set_retention
update :"schema".threads set keep_last = %(keep_last)s, ttl = %(ttl)s, refresh_on_read = %(refresh_on_read)s
where owner = %(owner)s and thread_id = %(thread_id)s returning id

-- name: get_retention
select keep_last, ttl, refresh_on_read from :"schema".threads where owner = %(owner)s and thread_id = %(thread_id)s

-- name: is_due
-- A thread without any checkpoint is what a run left that was killed, or deleted, at its very first write.
coalesce(greatest(t.updated_at, t.read_at) < now() - case
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

-- name: expiring
-- What would go of a page of threads: whole ones, and of the others older checkpoints, their pending writes, and items
-- that nothing else refers to.
with page as materialized (
  select t.owner, t.thread_id, t.id, greatest(t.updated_at, t.read_at) as used_at, t.lease_until,
-- include: is_due
  as whole,
-- include: keep
  as keep
-- include: threads_page
),
old as materialized (
  select c.thread, c.ns, c.checkpoint_id, c.bytes
  from page, lateral (
    select c.thread, c.ns, c.checkpoint_id, row_number() over (partition by c.ns order by c.seq desc) as age,
      pg_column_size(c.state) + pg_column_size(c.refs) + coalesce(pg_column_size(c.metadata), 0)
        + coalesce(pg_column_size(c.metadata_value), 0) as bytes
    from :"schema".checkpoints c where c.thread = page.id and (page.whole or page.keep is not null)
  ) c
  where page.whole or c.age > page.keep
),
chosen as materialized (
  select page.* from page where page.whole or page.id in (select thread from old)
),
written as materialized (
  select w.thread, w.refs, pg_column_size(w.value) + pg_column_size(w.refs) as bytes,
    chosen.whole or old.thread is not null as goes
  from chosen join :"schema".writes w on w.thread = chosen.id
  left join old on old.thread = w.thread and old.ns = w.ns and old.checkpoint_id = w.checkpoint_id
),
kept as materialized (
  select r.thread, range_agg(int4range(r.refs[i], r.refs[i] + r.refs[i + 1])) as positions
  from (
    select c.thread, c.refs from chosen join :"schema".checkpoints c on c.thread = chosen.id
    left join old on old.thread = c.thread and old.ns = c.ns and old.checkpoint_id = c.checkpoint_id
    where old.thread is null
    union all
    select thread, refs from written where not goes
  ) r, generate_series(1, cardinality(r.refs), 2) i
  group by r.thread
),
going as (
  select thread, 1 as checkpoint, bytes from old
  union all
  select thread, 0, bytes from written where goes
  union all
  select i.thread, 0, coalesce(pg_column_size(i.message), 0) + coalesce(pg_column_size(i.value), 0)
  from chosen join :"schema".items i on i.thread = chosen.id left join kept on kept.thread = i.thread
  where not (i.position <@ coalesce(kept.positions, '{}'::int4multirange))
)
select t.owner, t.thread_id, t.id, t.used_at, t.whole, coalesce(sum(going.checkpoint), 0)::bigint as checkpoints,
  count(going.thread) + t.whole::int as rows, coalesce(sum(going.bytes), 0)::bigint as bytes,
  case
    when :"schema".held(t.id) then 'legal hold'
    when t.lease_until > clock_timestamp() then 'a run is going'
    when not t.whole and exists (
      select from :"schema".checkpoints c where c.thread = t.id and
-- include: is_delta
    ) then 'DeltaChannel'
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
with chosen as materialized (
  select t.id,
-- include: keep
  as keep
  from :"schema".threads t where
-- include: is_named
  and
-- include: is_free
  and not exists (
    select from :"schema".checkpoints c where c.thread = t.id and
-- include: is_delta
  )
),
old as materialized (
  select c.thread, c.ns, c.checkpoint_id
  from chosen, lateral (
    select c.thread, c.ns, c.checkpoint_id, row_number() over (partition by c.ns order by c.seq desc) as age
    from :"schema".checkpoints c where c.thread = chosen.id
  ) c
  where c.age > chosen.keep
),
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

-- name: delete_expired_items
with chosen as materialized (
  update :"schema".threads t set epoch = epoch + 1 where
-- include: is_named
  and not :"schema".held(t.id) returning t.id
),
-- include: orphan_items
