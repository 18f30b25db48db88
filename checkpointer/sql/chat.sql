-- The conversations once more, as the tables in which Databricks AppKit's template keeps chats: a page that reads those reads
-- sessions. Run once for each role that reads. Variables: schema, chat, reader.
create schema if not exists :"chat";

create or replace view :"chat".chats with (security_invoker) as
select :"schema".uuid_of(s.owner, s.thread_id) as id, s.owner as user_id, coalesce(s.title, s.thread_id) as title,
  s.created_at, s.updated_at
from :"schema".sessions s;

-- Nothing here is null, and `created_at` alone tells the order. Partitioned by what a page asks for, no other chat is read.
create or replace view :"chat".messages with (security_invoker) as
select :"schema".uuid_of(c.owner, c.thread_id, c.position::text, c.body ->> 'id') as id,
  :"schema".uuid_of(c.owner, c.thread_id) as chat_id, coalesce(c.role, 'system') as role,
  coalesce(c.content, '[' || c.note || ']', '') as content,
  coalesce(
    max(c.created_at) over (partition by :"schema".uuid_of(c.owner, c.thread_id) order by c.position), c.begun_at
  ) + c.position * interval '1 microsecond' as created_at
from :"schema".conversation c;

grant usage on schema :"chat" to :"reader";
grant select on :"chat".chats, :"chat".messages to :"reader";
