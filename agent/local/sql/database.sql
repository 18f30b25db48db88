-- Who may do what in the database lakehouse. Run as superuser there; may be run again.
revoke all on database lakehouse from public;
revoke create on schema public from public;

grant connect, create on database lakehouse to mooring_migrator;
grant connect on database lakehouse to mooring_service, mooring_user;
