-- Who may do what in the database lakehouse. Run as superuser there; may be run again.
revoke all on database lakehouse from public;
revoke create on schema public from public;
-- Large objects are the one thing that everybody may create otherwise.
revoke execute on function lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) from public;

grant connect, create on database lakehouse to mooring_migrator;
grant connect on database lakehouse to mooring_service, mooring_user;
