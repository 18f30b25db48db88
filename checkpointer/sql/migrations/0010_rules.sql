-- What functions in policies and views do, what editors do by themselves, and smaller indexes. Variables (psql's): schema.

-- A thread's keys ascend and rows are never moved, so room that is left in a full page is seldom used.
alter index :"schema".items_pkey set (fillfactor = 100);
alter index :"schema".checkpoints_pkey set (fillfactor = 100);
alter index :"schema".checkpoints_thread_seq_key set (fillfactor = 100);
alter index :"schema".writes_pkey set (fillfactor = 100);

-- Feedback is looked for by its thread, which its key begins with, and all of it by who erases a person.
drop index :"schema".feedback_owner;
drop index :"schema".feedback_rater;

-- Functions in rules ------------------------------------------------------------------------------------------------

-- What stands behind functions that a rule calls: the bodies of all that are not Postgres' own, those that they call in turn
-- included; and whether one of them looks at the person (`personal`), or at something that may change without the rule
-- (`open`). That a function calls itself immutable is not believed where its body says otherwise.
--
-- A body in SQL's own form is a tree, as a rule is. One that is text is searched: for the names of functions, whichever their
-- schemas, and for words. What C functions do cannot be told, nor changed with SQL; any other language is open.
create function :"schema".functions_behind(called oid[], out bodies text, out personal boolean, out open boolean)
  language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  all_called oid[];
begin
  with recursive behind (oid) as (
    select unnest(called)
    union
    select next.oid from behind b join pg_proc p on p.oid = b.oid and p.oid >= 16384
    cross join lateral (
      select array_agg(distinct m[1]) as names
      from regexp_matches(
        lower(p.prosrc || ' ' || regexp_replace(p.prosrc, '/\*.*?\*/|--[^\n]*', ' ', 'g')), '([\w$]+)"?\s*\(', 'g'
      ) m
      where p.prosqlbody is null
    ) written
    cross join lateral (
      select unnest(array[
        a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn
      ]::oid[])
      from pg_aggregate a where a.aggfnoid = p.oid
      union all
      select m[1]::oid from regexp_matches(p.prosqlbody::text, ':\w*(?:func(?:id|oid)?|fnoid) (\d+)', 'g') m
      union all
      select f.oid from pg_proc f
      where f.proname = any(written.names::name[]) and (f.oid >= 16384 or f.provolatile <> 'i')
      union all
      -- A name that has to be quoted is looked for wherever it stands.
      select f.oid from pg_proc f
      where p.prosqlbody is null and f.oid >= 16384 and f.proname !~ '^[a-z0-9_$]+$' and position(f.proname in p.prosrc) > 0
      union all
      select o.oprcode from pg_operator o
      where o.oid >= 16384 and p.prosqlbody is null and position(o.oprname in p.prosrc) > 0
    ) next (oid)
    where next.oid <> 0
  )
  select array_agg(behind.oid) from behind into all_called;
  -- A statement of its own: joined with an array, no plan reads every function that there is.
  select
    string_agg(p.oid || p.provolatile || coalesce(p.prosrc, '') || coalesce(p.prosqlbody::text, ''), ',' order by p.oid)
      filter (where p.oid >= 16384),
    coalesce(bool_or(
      p.proname = 'pg_has_role'
      or p.oid >= 16384 and (
        p.prosqlbody::text ~ 'SQLVALUEFUNCTION :op (9|1[0-2])\y'
        or p.prosqlbody is null and p.prosrc ~* '\y(current_user|session_user|system_user|current_role|user)\y'
      )
    ), false),
    coalesce(bool_or(
      p.provolatile <> 'i' and p.proname <> 'pg_has_role'
      or p.oid >= 16384 and (
        l.lanname not in ('c', 'internal', 'sql', 'plpgsql')
        or p.prosqlbody::text ~ 'SQLVALUEFUNCTION :op ([0-8]|14)\y|:rtekind 0\y|\{SUBLINK '
        or p.prosqlbody is null and l.lanname in ('sql', 'plpgsql')
          and p.prosrc ~* '\y(from|table|execute|current_(date|time|timestamp|schema)|localtime|localtimestamp)\y|u&"'
      )
    ), false)
  from pg_proc p join pg_language l on l.oid = p.prolang where p.oid = any(all_called)
  into bodies, personal, open;
end
$$;

-- What a rule looks at, as before, and null for `text` where it calls what `reader` may not: whoever reads a table calls the
-- functions of its policies and views, whoever owns those.
drop function :"schema".rule(text, boolean);
create function :"schema".rule(tree text, is_view boolean, reader oid, out text text, out personal boolean, out open boolean)
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  called oid[];
  behind record;
begin
  text := regexp_replace(tree, ':(\w*location|stmt_len) -?\d+|:eref {ALIAS :aliasname (\\.|[^\s\\])+', '', 'g');
  select array_agg(distinct m[1]::oid) from regexp_matches(tree, ':\w*(?:func(?:id|oid)?|fnoid) (\d+)', 'g') m into called;
  select
    coalesce(bool_or(p.proname = 'pg_has_role'), false),
    coalesce(bool_or(p.provolatile <> 'i' and p.proname <> 'pg_has_role'), false),
    case when bool_and(has_function_privilege(reader, p.oid, 'EXECUTE')) is not false then text end
  from pg_proc p where p.oid = any(called) into personal, open, text;
  if (select max(oid) from unnest(called) oid) >= 16384 then
    behind := :"schema".functions_behind(called);
    text := text || coalesce(behind.bodies, '');
    personal := personal or behind.personal;
    open := open or behind.open;
  end if;
  -- CURRENT_ROLE, CURRENT_USER, USER and SESSION_USER are 9 to 12, CURRENT_CATALOG is 13; the others are times, and a
  -- schema that a setting names.
  personal := personal or tree ~ 'SQLVALUEFUNCTION :op (9|1[0-2])\y';
  open := open or tree ~ 'SQLVALUEFUNCTION :op ([0-8]|14)\y' or (not is_view and tree like '%{SUBLINK %');
end
$$;

-- What limits `who` to a part of a table, a view or the like when `reader` asks: '' for nothing, null when `who` may not read
-- it. Behind a view of its owner's the two differ: the owner's privileges and policies hold there, while what a policy or a
-- view says of the current user is about the reader. A view of the invoker's is read as the reader wherever it stands.
create or replace function :"schema".limits_of(who oid, reader oid, relation oid, out rules text, out personal boolean, out open boolean)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  it record;
  policy record;
  seen record;
  texts text := '';
  whole boolean;
  limited boolean := false;
  behind int := 0;
begin
  personal := false;
  open := false;
  select c.relkind, c.relowner, c.relrowsecurity and not r.rolsuper and not r.rolbypassrls
      and (c.relforcerowsecurity or not pg_has_role(who, c.relowner, 'USAGE')) as filtered,
    exists (
      select from unnest(c.reloptions) o where o like 'security_invoker=%' and split_part(o, '=', 2)::boolean
    ) as invoker
  from pg_class c join pg_roles r on r.oid = who
  where c.oid = relation and c.relkind in ('r', 'p', 'v', 'm', 'f')
  into it;
  if not found then
    return;
  end if;
  rules := '';
  if not has_table_privilege(who, relation, 'SELECT') then
    select string_agg(a.attnum::text, ',' order by a.attnum) filter (where a.granted), bool_and(a.granted)
    from (
      select a.attnum, has_column_privilege(who, relation, a.attnum, 'SELECT') as granted
      from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
    ) a
    into texts, whole;
    if texts is null then
      rules := null;
      return;
    end if;
    -- Grants on every single column are as good as one on the table.
    rules := case when whole then '' else 'columns ' || texts end;
  end if;
  if it.filtered then
    texts := '';
    whole := false;
    for policy in
      -- pg_get_expr would wait for whoever has locked the table.
      select p.polpermissive, p.polqual::text as tree,
        p.polqual::text ~ '^\{CONST :consttype 16 .*:constisnull false .*:constvalue 1 \[ 1 (0 ){7}\]\}$' as is_true
      from pg_policy p
      -- One without an expression admits nothing and forbids nothing.
      where p.polrelid = relation and p.polcmd in ('r', '*') and p.polqual is not null and exists (
        select from unnest(p.polroles) granted where granted = 0 or pg_has_role(who, granted, 'USAGE')
      )
      order by p.polpermissive, p.polqual::text
    loop
      if policy.is_true then
        whole := whole or policy.polpermissive;
        continue;
      end if;
      limited := limited or not policy.polpermissive;
      seen := :"schema".rule(policy.tree, false, reader);
      if seen.text is null then
        rules := null;
        return;
      end if;
      texts := texts || case when policy.polpermissive then ' or ' else ' and ' end || seen.text;
      personal := personal or seen.personal;
      open := open or seen.open;
    end loop;
    if whole and not limited then
      personal := false;
      open := false;
    else
      rules := rules || ' rows ' || case when whole then ' all ' else '' end || texts;
    end if;
  end if;
  if it.relkind = 'v' then
    select r.oid, r.ev_action::text as tree from pg_rewrite r where r.ev_class = relation and r.ev_type = '1' into policy;
    seen := :"schema".rule(policy.tree, true, reader);
    if seen.text is null then
      rules := null;
      return;
    end if;
    rules := rules || ' view ' || seen.text;
    personal := personal or seen.personal;
    open := open or seen.open;
    for policy in
      select distinct d.refobjid as oid from pg_depend d join pg_class c on c.oid = d.refobjid
      where d.classid = 'pg_rewrite'::regclass and d.objid = policy.oid and d.refclassid = 'pg_class'::regclass
        and d.refobjid <> relation and c.relkind in ('r', 'p', 'v', 'm', 'f')
      order by 1
    loop
      seen := :"schema".limits_of(case when it.invoker then reader else it.relowner end, reader, policy.oid);
      if seen.rules is null then
        rules := null;
        return;
      end if;
      rules := rules || ' of ' || policy.oid || ' ' || encode(sha256(convert_to(seen.rules, 'UTF8')), 'hex');
      personal := personal or seen.personal;
      open := open or seen.open;
      behind := behind + 1;
    end loop;
    -- One of several tables may say who sees what of the others.
    open := open or (personal and behind > 1);
  end if;
end
$$;

revoke all on function :"schema".functions_behind(oid[]), :"schema".rule(text, boolean, oid) from public;

-- Editors -------------------------------------------------------------------------------------------------------------

-- They write through `store` only. A row that they could update by themselves they could also take: it would be their own then.
alter policy edited on :"schema".checkpoints to current_user;
alter policy edited_again on :"schema".checkpoints to current_user;
alter policy edited on :"schema".writes to current_user;
alter policy edited_again on :"schema".writes to current_user;
