-- Functions that a query would call and that may read tables which its plan does not show: user-defined ones that take
-- a known function's name, an alias's or a column's, and those inside the views that it reads.
-- :functions text[], :aliases text[], :attributes text[], :relations oid[]
with recursive views (oid) as (
  select unnest(%(relations)s::bigint[]::oid[])
  union
  select d.refobjid
  from views v
  join pg_catalog.pg_rewrite r on r.ev_class = v.oid and r.ev_type = '1'
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
  where d.refclassid = 'pg_catalog.pg_class'::regclass
),
used (oid, by_view) as (
  select d.refobjid, true
  from views v
  join pg_catalog.pg_rewrite r on r.ev_class = v.oid and r.ev_type = '1'
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
  where d.refclassid = 'pg_catalog.pg_proc'::regclass
  union all
  select p.oid, false
  from pg_catalog.pg_proc p
  where pg_catalog.pg_function_is_visible(p.oid) and (
    p.proname = any (%(functions)s) and p.pronamespace <> 'pg_catalog'::regnamespace
    or p.proname = any (%(aliases)s)
    or p.proname = any (%(attributes)s) and p.pronamespace <> 'pg_catalog'::regnamespace and p.pronargs > 0
      and exists (select from pg_catalog.pg_type t where t.oid = p.proargtypes[0] and t.typtype in ('c', 'p'))
  )
)
select format('%%I.%%I', n.nspname, p.proname)
from used u
join pg_catalog.pg_proc p on p.oid = u.oid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where not (u.by_view and p.provolatile = 'i') and not exists (
  select from pg_catalog.pg_depend d
  where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
)
order by 1
limit 1
