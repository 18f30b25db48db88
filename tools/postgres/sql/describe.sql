-- One relation as the caller may see it: without columns that they may not read, without the number of rows where
-- row-level policies hide some from them.
-- :relation bigint
select
  format('%%I.%%I', n.nspname, c.relname),
  case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
  obj_description(c.oid, 'pg_class'),
  case when c.relkind in ('r', 'm') and c.reltuples >= 0 and not row_security_active(c.oid)
    then c.reltuples::bigint end,
  format('%%I', a.attname),
  format_type(a.atttypid, a.atttypmod),
  not a.attnotnull,
  col_description(c.oid, a.attnum),
  exists (
    select from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any (k.conkey)
  ),
  (
    select format('%%I.%%I.%%I', fn.nspname, f.relname, fa.attname)
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class f on f.oid = k.confrelid
    join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
    join pg_catalog.pg_attribute fa on fa.attrelid = f.oid and fa.attnum = k.confkey[1]
    where k.conrelid = c.oid and k.contype = 'f' and cardinality(k.conkey) = 1 and k.conkey[1] = a.attnum
      and has_schema_privilege(fn.oid, 'USAGE') and has_column_privilege(f.oid, fa.attnum, 'SELECT')
    order by k.oid limit 1
  )
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.oid = %(relation)s::bigint::oid and has_column_privilege(c.oid, a.attnum, 'SELECT')
order by a.attnum
