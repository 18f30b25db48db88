-- Members of a role read the whole audit, and may break the glass. Variables: schema, auditor_role.
create or replace function :"schema".is_auditor() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return exists (
    select from pg_catalog.pg_roles r join pg_catalog.pg_roles g on g.rolname = :'auditor_role'
    where r.rolname = :"schema".principal() and not r.rolsuper and pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')
  );
grant usage on schema :"schema" to :"auditor_role";
grant execute on function :"schema".principal(), :"schema".is_auditor() to :"auditor_role";
grant select on :"schema".audit to :"auditor_role";
