-- Find relations by schema (NULL for the search path) and name, as the caller's search path would.
-- :schemas text[], :names text[]
select c.oid::bigint, n.nspname::text, c.relname::text
from unnest(%(schemas)s::text[], %(names)s::text[]) as wanted (schema, name)
join pg_catalog.pg_class c on c.relname = wanted.name
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and case when wanted.schema is null then pg_catalog.pg_table_is_visible(c.oid) else n.nspname = wanted.schema end
order by n.nspname, c.relname
