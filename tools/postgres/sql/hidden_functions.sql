-- Functions that a query would call and that may read tables which its plan does not show: user-defined ones that take
-- a known function's name, an alias's or a column's, that stand behind an operator, a cast or a domain's checks, and those
-- inside the views that it reads. What extensions bring is trusted.
-- :functions text[], :aliases text[], :attributes text[], :operators text[], :types text[], :relations oid[]
with recursive own_casts as (
  select c.castsource, c.casttarget, c.castfunc, c.castcontext
  from pg_catalog.pg_cast c
  where c.oid >= 16384 and not exists (
    select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_cast'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
),
views (oid) as (
  select unnest(%(relations)s::bigint[]::oid[])
  union
  select d.refobjid
  from views v
  join pg_catalog.pg_rewrite r on r.ev_class = v.oid and r.ev_type = '1'
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
  where d.refclassid = 'pg_catalog.pg_class'::regclass
),
-- The user-defined types that values in the query can have: those that it names, those of columns, and what is inside them
-- or is made of them without a word.
types (oid) as (
  (
    select t.oid from pg_catalog.pg_type t where t.oid >= 16384 and t.typname = any (%(types)s)
    union
    select t.oid from pg_catalog.pg_type t where t.typrelid = any (%(relations)s::bigint[]::oid[])
  )
  union
  select inner_type.oid
  from types y
  join pg_catalog.pg_type t on t.oid = y.oid
  cross join lateral (
    select a.atttypid from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0
    union all
    select unnest(array[t.typelem, t.typbasetype])
    union all
    select g.rngsubtype from pg_catalog.pg_range g where g.rngtypid = t.oid or g.rngmultitypid = t.oid
    union all
    select c.casttarget from own_casts c where c.castcontext = 'i' and c.castsource in (t.oid, t.typbasetype)
  ) inner_type (oid)
  where inner_type.oid >= 16384
),
of_types (oid) as (
  select oid from types
  union
  select c.casttarget from own_casts c where c.castcontext = 'i' and c.castsource < 16384
),
checks (type, func) as (
  select k.contypid, d.refobjid
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid = k.oid
  where k.contypid <> 0 and d.refclassid = 'pg_catalog.pg_proc'::regclass
  union all
  select k.contypid, o.oprcode
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid = k.oid
  join pg_catalog.pg_operator o on o.oid = d.refobjid
  where k.contypid <> 0 and d.refclassid = 'pg_catalog.pg_operator'::regclass
),
inside (class, oid) as (
  select d.refclassid, d.refobjid
  from views v
  join pg_catalog.pg_rewrite r on r.ev_class = v.oid and r.ev_type = '1'
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
),
used (oid, by_view) as (
  select i.oid, true from inside i where i.class = 'pg_catalog.pg_proc'::regclass
  union all
  select o.oprcode, true
  from inside i join pg_catalog.pg_operator o on o.oid = i.oid where i.class = 'pg_catalog.pg_operator'::regclass
  union all
  select k.func, true from inside i join checks k on k.type = i.oid where i.class = 'pg_catalog.pg_type'::regclass
  union all
  select p.oid, false
  from pg_catalog.pg_proc p
  where pg_catalog.pg_function_is_visible(p.oid) and (
    p.proname = any (%(functions)s) and p.pronamespace <> 'pg_catalog'::regnamespace
    or p.proname = any (%(aliases)s)
    or p.proname = any (%(attributes)s) and p.pronamespace <> 'pg_catalog'::regnamespace and p.pronargs > 0
      and exists (select from pg_catalog.pg_type t where t.oid = p.proargtypes[0] and t.typtype in ('c', 'p', 'd'))
  )
  union all
  select o.oprcode, false
  from pg_catalog.pg_operator o
  join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
  where o.oid >= 16384 and o.oprname = any (%(operators)s) and n.nspname = any (pg_catalog.current_schemas(true))
    and (o.oprleft < 16384 or o.oprleft in (select oid from of_types))
    and (o.oprright < 16384 or o.oprright in (select oid from of_types))
  union all
  select c.castfunc, false
  from own_casts c
  where c.castsource < 16384 and c.casttarget < 16384
    or c.castsource in (select oid from of_types) or c.casttarget in (select oid from of_types)
  union all
  select k.func, false from checks k where k.type in (select oid from of_types)
)
select format('%%I.%%I', n.nspname, p.proname)
from used u
join pg_catalog.pg_proc p on p.oid = u.oid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where (p.oid >= 16384 or p.proname = any (%(aliases)s)) and not (u.by_view and p.provolatile = 'i') and not exists (
  select from pg_catalog.pg_depend d
  where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
)
order by 1
limit 1
