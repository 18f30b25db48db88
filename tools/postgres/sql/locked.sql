-- The tables that stand for what the transaction has locked, which is all that its query may read: a partition or child is
-- read through its topmost parent, unless the query names it itself; and whether it is read through a view that the query
-- names: it stands behind the view, or a policy of a table there reads it as the view's owner. A plan would say the same,
-- and quote what it has computed already, however large that is.
-- :named oid[] from the query
with recursive locked (oid) as (
  select l.relation
  from pg_catalog.pg_locks l
  join pg_catalog.pg_class c on c.oid = l.relation
  where l.locktype = 'relation' and l.pid = pg_catalog.pg_backend_pid() and l.relation >= 16384
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
),
up (oid) as (
  select oid from locked
  union
  select i.inhparent
  from up
  join pg_catalog.pg_inherits i on i.inhrelid = up.oid
  where up.oid <> all (%(named)s::bigint[]::oid[])
),
behind (oid, as_owner) as (
  select named.oid, false from unnest(%(named)s::bigint[]::oid[]) named (oid)
  union
  select d.refobjid, rule.as_owner
  from behind
  join pg_catalog.pg_class c on c.oid = behind.oid
  cross join lateral (
    select 'pg_catalog.pg_rewrite'::regclass, r.oid, not exists (
      select from unnest(c.reloptions) o where o like 'security_invoker=%%' and split_part(o, '=', 2)::boolean
    )
    from pg_catalog.pg_rewrite r where r.ev_class = behind.oid and r.ev_type = '1'
    union all
    select 'pg_catalog.pg_policy'::regclass, p.oid, true
    from pg_catalog.pg_policy p where p.polrelid = behind.oid and behind.as_owner
  ) rule (class, oid, as_owner)
  join pg_catalog.pg_depend d on d.classid = rule.class and d.objid = rule.oid
  where d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid <> behind.oid
)
select c.oid::bigint, n.nspname::text, c.relname::text, up.oid in (select behind.oid from behind)
from up
join pg_catalog.pg_class c on c.oid = up.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where up.oid = any (%(named)s::bigint[]::oid[])
  or not exists (select from pg_catalog.pg_inherits i where i.inhrelid = up.oid)
