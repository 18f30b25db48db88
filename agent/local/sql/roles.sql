-- Roles of the embedded cluster. Run as superuser in the database postgres; may be run again.
do $$
declare
    name text;
begin
    foreach name in array array['mooring_user', 'lakehouse_owner'] loop
        if to_regrole(name) is null then
            execute format('create role %I nologin', name);
        end if;
    end loop;
    foreach name in array array['mooring_migrator', 'mooring_service', 'alice', 'bob', 'carol'] loop
        if to_regrole(name) is null then
            execute format('create role %I login', name);
        end if;
    end loop;
end
$$;

comment on role mooring_migrator is 'Owns the schema mooring and migrates it';
comment on role mooring_service is 'Runs the agent; owns nothing';
comment on role mooring_user is 'People who may read their own sessions with SQL';
comment on role lakehouse_owner is 'Owns the sample data; nobody logs in as it';

grant mooring_user to alice, bob, carol;

revoke all on database postgres, template1 from public;
