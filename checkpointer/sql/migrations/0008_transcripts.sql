-- Transcripts: what was stored, as views that can be joined with any other table. Messages are read where they are.
-- Variables (psql's): schema, runtime_role.
--
-- The views are the invoker's: policies, privileges and labels hold in them as they do in what they look at. A value that
-- SQL cannot hold never fails a view: U+FFFD stands for NUL and for lone surrogates, null for what is not text at all.
-- Of what is encrypted, which begins with the byte 9, they say that it is.

-- When an item was stored in its thread; null for what is older than this column.
alter table :"schema".items add column created_at timestamptz;
alter table :"schema".items alter column created_at set default now();

create or replace view :"schema".contents as
select i.owner, i.thread, i.position, i.kind, i.label_set, i.envelope,
  case when i.label_set = 0 or i.label_set = any((select :"schema".readable_sets())::int[]) then i.message end as message,
  case when i.label_set = 0 or i.label_set = any((select :"schema".readable_sets())::int[]) then i.value end as value,
  case when i.label_set = 0 or i.label_set = any((select :"schema".readable_sets())::int[]) then i.digest end as digest,
  coalesce(pg_column_size(i.message), 0) + coalesce(pg_column_size(i.value), 0) as size,
  i.created_at
from :"schema".items i;

-- The runs of a checkpoint's references that are the list in its channel `messages`; null where it has none. The state
-- begins with the byte 8, the first of them and the last, each in four bytes, when it has one.
create function :"schema".conversation_refs(refs int[], state bytea) returns int[]
  language sql immutable
  return case when pg_catalog.substr(state, 1, 1) = '\x08'::bytea and pg_catalog.octet_length(state) > 9 then
    refs[
      ('x' || pg_catalog.encode(pg_catalog.substr(state, 2, 4), 'hex'))::bit(32)::int
      : ('x' || pg_catalog.encode(pg_catalog.substr(state, 6, 4), 'hex'))::bit(32)::int
    ]
  end;

-- A message's JSON text, or an envelope's; null for text that is no JSON. jsonb has no NUL and no lone surrogates.
create function :"schema".readable_json(body text) returns jsonb
  language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
  plain text;
begin
  return body::jsonb;
exception when others then
  -- Spelled like this, no backslash is left that does not begin an escape.
  plain := replace(body, '\\', '\u005c');
  plain := regexp_replace(plain, '\\u0000|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])', '\\ufffd', 'gi');
  plain := regexp_replace(plain, '(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}', '\\ufffd', 'gi');
  begin
    return plain::jsonb;
  exception when others then
    return null;
  end;
end
$$;

-- The text of a message's content, as LangChain's `message.text` has it: that of its blocks, where it has blocks.
create function :"schema".text_of(content jsonb) returns text
  language sql immutable
  return case pg_catalog.jsonb_typeof(content)
    when 'string' then content #>> '{}'
    when 'array' then (
      select coalesce(pg_catalog.string_agg(
        case
          when pg_catalog.jsonb_typeof(block) = 'string' then block #>> '{}'
          when block ->> 'type' = 'text' and pg_catalog.jsonb_typeof(block -> 'text') = 'string' then block ->> 'text'
        end, '' order by n), '')
      from pg_catalog.jsonb_array_elements(content) with ordinality as blocks (block, n)
    )
  end;

-- The tables that the label sets in visible threads name.
create function :"schema".label_sources() returns table (label_set int, sources text[])
  language sql stable security definer set search_path = pg_catalog, pg_temp
  begin atomic
    select s.id, pg_catalog.array_agg(distinct l.source order by l.source)
    from :"schema".label_sets s join :"schema".labels l on l.id = any(s.labels)
    where s.id in (select pg_catalog.unnest(t.label_sets) from :"schema".threads t)
    group by s.id;
  end;

-- A UUID that stands for these texts.
create function :"schema".uuid_of(variadic parts text[]) returns uuid
  language sql stable
  return pg_catalog.encode(
    pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.array_to_json(parts)::text, 'UTF8')), 1, 16), 'hex'
  )::uuid;

-- The elements of the channel `messages` in the latest checkpoint of the root graph, in order. What was removed, or belongs
-- to another branch, is not among them. `body` is what may be seen of a message: all of it, or its envelope.
create view :"schema".conversation with (security_invoker) as
select c.*,
  case
    when c.kind = 'human' then 'user'
    when c.kind in ('ai', 'AIMessageChunk') then 'assistant'
    when c.kind in ('tool', 'function') then 'tool'
    when c.kind = 'chat' and c.body ->> 'role' in ('user', 'assistant', 'tool') then c.body ->> 'role'
    when c.kind in ('system', 'chat', 'remove') then 'system'
  end as role,
  case when not c.withheld then :"schema".text_of(c.body -> 'content') end as content,
  case
    when c.withheld then 'withheld: derived from tables that you may not read now as they were read'
    when c.encrypted then 'encrypted: only a program that has the key can read it'
    when c.body is null then 'not stored as text: only the program that stored it can read it'
  end as note
from (
  select t.owner, t.thread_id, t.created_at as begun_at,
    (row_number() over (partition by t.owner, t.thread_id order by m.run, m.position) - 1)::int as position,
    m.kind, m.label_set, m.created_at, m.digest is null as withheld,
    coalesce(substr(m.value, 1, 1) = '\x09', false) as encrypted,
    :"schema".readable_json(coalesce(m.message, m.envelope)) as body
  from :"schema".threads t
  cross join lateral (
    select :"schema".conversation_refs(c.refs, c.state) as refs
    from :"schema".checkpoints c where c.thread = t.id and c.ns = '' order by c.seq desc limit 1
  ) latest
  cross join lateral (
    select run, i.* from generate_series(1, cardinality(latest.refs), 2) run, lateral (
      -- One range of the key for each run, whatever the planner thinks of their number.
      select * from :"schema".contents i
      where i.thread = t.id and i.position >= latest.refs[run]
        and i.position < latest.refs[run]::bigint + latest.refs[run + 1]
      offset 0
    ) i
  ) m
) c;

-- One row a session, as `mooring sessions list` has it.
create view :"schema".sessions with (security_invoker) as
select t.owner, t.thread_id, coalesce(t.title, case when t.sealed_title is not null then '[encrypted]' end) as title,
  t.created_at, t.updated_at,
  (select count(*) from :"schema".checkpoints c where c.thread = t.id) as checkpoints,
  :"schema".held(t.id) as held
from :"schema".threads t where t.next_seq > 0;

-- What assistants asked tools for, and what came of it: the next result with the call's id, which may come again later. Where
-- messages are encrypted, a row for each result is all that can be told.
create view :"schema".tool_calls with (security_invoker) as
select e.owner, e.thread_id, e.position, e.result_position, e.id, e.name, e.arguments, e.result,
  case when e.encrypted then 'encrypted' when e.result_position is null then 'pending' else coalesce(e.result_status, 'success') end
    as status,
  e.created_at, array(select distinct unnest(asked.sources || found.sources) order by 1) as sources,
  e.withheld or coalesce(e.result_withheld, false) as withheld
from (
  select c.owner, c.thread_id, c.position, c.created_at, c.withheld, c.encrypted, c.label_set, a.is_call, a.id, a.name, a.arguments,
    case when a.is_call and a.id is not null and not lead(a.is_call) over same then lead(c.position) over same end
      as result_position,
    case when not lead(a.is_call) over same then lead(a.result) over same end as result,
    case when not lead(a.is_call) over same then lead(a.status) over same end as result_status,
    case when not lead(a.is_call) over same then lead(c.withheld) over same end as result_withheld,
    case when not lead(a.is_call) over same then lead(c.label_set) over same end as result_label_set
  from :"schema".conversation c
  cross join lateral (
    select true as is_call, call.n, call.part ->> 'id' as id, call.part ->> 'name' as name, call.part -> 'args' as arguments,
      null as result, null as status
    from jsonb_array_elements(
      case jsonb_typeof(c.body -> 'tool_calls') when 'array' then c.body -> 'tool_calls' else '[]' end
    ) with ordinality as call (part, n)
    where c.kind in ('ai', 'AIMessageChunk')
    union all
    select c.encrypted, 0, c.body ->> 'tool_call_id', null, null, c.content, c.body ->> 'status'
    where c.kind = 'tool'
  ) a
  window same as (partition by c.owner, c.thread_id, a.id order by c.position, a.n)
) e
left join :"schema".label_sources() asked on asked.label_set = e.label_set
left join :"schema".label_sources() found on found.label_set = e.result_label_set
where e.is_call;

-- A row a message. A tool's result has the arguments that it was asked with.
create view :"schema".messages with (security_invoker) as
select c.owner, c.thread_id, c.position, c.body ->> 'id' as id, c.role, c.content,
  case when c.role = 'tool' then coalesce(c.body ->> 'name', a.name) end as tool_name,
  c.body ->> 'tool_call_id' as tool_call_id, a.arguments, c.created_at,
  coalesce(c.body #>> '{response_metadata,model_name}', c.body #>> '{response_metadata,model}') as model,
  coalesce(s.sources, '{}') as sources, c.withheld, c.note
from :"schema".conversation c
left join :"schema".tool_calls a on a.owner = c.owner and a.thread_id = c.thread_id and a.result_position = c.position
left join :"schema".label_sources() s on s.label_set = c.label_set;

-- Why the content of a thread that the principal sees is shown to them or not: for each label of its sets whether they hold
-- it, as `missing_labels` decides, and if not the first thing that is in the way. Of a table that no label of the thread
-- names, nothing is told, and of one that does, not under which name it is now.
--
-- `partial` says that the label is of a part of the table; `limits` is what limits the principal to a part of it now.
-- `missing` are grants, which the roles in `grantors` could give or, where none would do, who made the rules.
create function :"schema".why(p_owner text, p_thread_id text)
  returns table (
    label_set int, source text, partial boolean, expires_at timestamptz, verdict text, limits text[], missing text[],
    grantors text[]
  )
  language sql stable security definer set search_path = pg_catalog, pg_temp
  begin atomic
    with labels as materialized (
      select s.id as label_set, l.id, l.source, l.fingerprint, l.expires_at,
        case when l.fingerprint ~ '^\d+(:|~|$)' then substring(l.fingerprint, '^\d+')::oid end as relation
      from :"schema".threads t, unnest(t.label_sets) kept (label_set), :"schema".label_sets s, :"schema".labels l
      where t.owner = p_owner and t.thread_id = p_thread_id and s.id = kept.label_set and l.id = any(s.labels)
    ),
    missing as materialized (
      select :"schema".missing_labels((select array_agg(distinct l.id) from labels l)) as ids
    ),
    known as materialized (
      select l.id, l.label_set, r.rolname, r.rolsuper or r.rolbypassrls as privileged, c.relkind,
        quote_ident(n.nspname) as schema, format('%I.%I', n.nspname, c.relname) as name,
        pg_get_userbyid(c.relowner) as owner, pg_get_userbyid(n.nspowner) as schema_owner,
        has_schema_privilege(r.oid, n.oid, 'USAGE') as enters,
        has_table_privilege(r.oid, c.oid, 'SELECT') as reads, has_any_column_privilege(r.oid, c.oid, 'SELECT') as reads_some,
        c.relrowsecurity and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'USAGE')) as filtered,
        :"schema".fingerprint(r.oid, c.oid) as print
      from labels l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
      left join pg_roles r on r.oid = :"schema".principal_role()
      where format('%s.%s.%s', current_database(), n.nspname, c.relname) = l.source
    ),
    decided as (
      select l.*, k.rolname, k.schema, k.name, k.owner, k.schema_owner, k.enters, k.reads, k.reads_some, k.filtered, k.relkind,
        case
          when l.id <> all (m.ids) then 'held'
          when l.fingerprint = '?' then 'unknown'
          when l.relation is null and l.expires_at <= now() then 'ran out'
          when l.relation is null then 'elsewhere'
          when k.id is null then 'gone'
          when k.rolname is null then 'nobody'
          when k.privileged then 'privileged'
          when not k.enters or not k.reads_some then 'not granted'
          when k.print is null then 'beneath'
          when k.print <> l.fingerprint then 'changed'
          else 'ran out'
        end as verdict
      from missing m, labels l left join known k on k.id = l.id and k.label_set = l.label_set
    )
    select d.label_set, d.source, d.fingerprint ~ '^\d+:|~$', d.expires_at, d.verdict,
      array_remove(array[
        case when not d.reads and d.reads_some then 'columns' end, case when d.filtered then 'rows' end,
        case when d.relkind = 'v' then 'view' end
      ], null),
      array_remove(array[
        case when d.verdict = 'not granted' and not d.enters then
          format('GRANT USAGE ON SCHEMA %s TO %I', d.schema, d.rolname)
        end,
        case when (d.verdict = 'not granted' and not d.reads_some)
            or (d.verdict = 'changed' and not d.reads and d.fingerprint not like '%:%') then
          format('GRANT SELECT ON %s TO %I', d.name, d.rolname)
        end
      ], null),
      array_remove(array[
        case when d.verdict = 'not granted' and not d.enters then d.schema_owner end,
        case when d.verdict in ('beneath', 'changed', 'ran out')
            or (d.verdict = 'not granted' and not d.reads_some) then d.owner end
      ], null)
    from decided d;
  end;

revoke all on function :"schema".conversation_refs(int[], bytea), :"schema".readable_json(text), :"schema".text_of(jsonb),
  :"schema".label_sources(), :"schema".uuid_of(text[]), :"schema".why(text, text) from public;
grant execute on function :"schema".conversation_refs(int[], bytea), :"schema".readable_json(text),
  :"schema".text_of(jsonb), :"schema".label_sources(), :"schema".uuid_of(text[]), :"schema".why(text, text)
  to :"runtime_role";
grant select on :"schema".conversation, :"schema".sessions, :"schema".messages, :"schema".tool_calls to :"runtime_role";
