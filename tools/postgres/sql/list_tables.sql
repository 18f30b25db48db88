-- The tables that the caller may read, without partitions, system schemas and extensions' own tables.
-- :excluded text[], :most bigint
select
  format('%%I.%%I', n.nspname, c.relname) as "table",
  case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
  obj_description(c.oid, 'pg_class'),
  array_agg(format('%%I', a.attname) order by a.attnum),
  array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and n.nspname <> all (%(excluded)s)
  and has_schema_privilege(n.oid, 'USAGE') and has_column_privilege(c.oid, a.attnum, 'SELECT')
  and not exists (
    select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
group by c.oid, n.nspname, c.relname, c.relkind
order by n.nspname, c.relname
limit %(most)s
