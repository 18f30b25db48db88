-- The tables that stand for the relations of a plan: a partition or child is read through its topmost parent, unless
-- the query names it itself.
-- :schemas text[], :names text[] from the plan; :named oid[] from the query
with recursive scanned (oid) as (
  select c.oid
  from unnest(%(schemas)s::text[], %(names)s::text[]) as s (schema, name)
  join pg_catalog.pg_namespace n on n.nspname = s.schema
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.name
),
up (oid) as (
  select oid from scanned
  union
  select i.inhparent
  from up
  join pg_catalog.pg_inherits i on i.inhrelid = up.oid
  where up.oid <> all (%(named)s::bigint[]::oid[])
)
select n.nspname::text, c.relname::text
from up
join pg_catalog.pg_class c on c.oid = up.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where up.oid = any (%(named)s::bigint[]::oid[])
  or not exists (select from pg_catalog.pg_inherits i where i.inhrelid = up.oid)
