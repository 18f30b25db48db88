-- Feedback: what people think of messages. Each has one opinion of a message, and changes it alone.
-- Variables (psql's): schema, runtime_role.

-- It goes with its message and with its thread. A comment is in one of two columns, as a title is. Rows are written by `rate`
-- only.
create table :"schema".feedback (
  owner text not null,
  thread bigint not null,
  position int not null,
  rater text not null,
  rating text not null check (rating in ('up', 'down')),
  comment text,
  sealed_comment bytea,
  rated_at timestamptz not null default now(),
  primary key (thread, position, rater),
  foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade on update cascade,
  foreign key (thread, position) references :"schema".items (thread, position) on delete cascade,
  check (comment is null or sealed_comment is null)
);
create index feedback_owner on :"schema".feedback (owner);
create index feedback_rater on :"schema".feedback (rater);

alter table :"schema".feedback enable row level security;
alter table :"schema".feedback force row level security;
create policy functions on :"schema".feedback to current_user using (true);
-- Whoever gave it sees it, and the thread's owner. What somebody says of a message may quote it: both see it while they may
-- read the message.
create policy given on :"schema".feedback for select using (
  (rater = (select :"schema".principal()) or owner = (select :"schema".principal()))
  and exists (
    select from :"schema".items i where i.thread = feedback.thread and i.position = feedback.position
      and (i.label_set = 0 or i.label_set = any((select :"schema".readable_sets())::int[]))
  )
);

-- A held conversation keeps what was said of it.
create trigger keep_held after delete on :"schema".feedback
  referencing old table as gone for each statement execute function :"schema".keep_held_rows();
create trigger keep_held_tables before truncate on :"schema".feedback
  for each statement execute function :"schema".keep_held_tables();
create trigger keep_held_content before update on :"schema".feedback
  for each row when (old.* is distinct from new.*) execute function :"schema".keep_held_row();

-- A list of messages, as `conversation_refs` returns it: the number of each from 0, and the position of its item.
create function :"schema".numbered(refs int[]) returns table (number int, "position" int)
  language sql immutable
  begin atomic
    select (pg_catalog.row_number() over (order by run, item) - 1)::int, item
    from pg_catalog.generate_series(1, pg_catalog.cardinality(refs), 2) run,
      pg_catalog.generate_series(refs[run], refs[run] + refs[run + 1] - 1) item;
  end;

alter table :"schema".audit drop constraint audit_act_check, add constraint audit_act_check check (act in (
  'opened', 'wrote', 'read', 'withheld', 'shared', 'unshared', 'transferred', 'exported', 'deleted', 'break glass', 'rated'
));

-- Say what the principal thinks of a message: the one with this number in the conversation of this checkpoint, of a thread of
-- theirs or one that is shared with them. Null where there is none. Refuses (SQLSTATE MRG08) who may not read it now.
create function :"schema".rate(
  p_owner text, p_thread_id text, p_checkpoint_id text, p_number int, p_rating text, p_comment text, p_sealed_comment bytea
) returns timestamptz
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  rated :"schema".items;
  found_at timestamptz;
begin
  select i.* from :"schema".threads t
  join :"schema".checkpoints c on c.thread = t.id and c.ns = '' and c.checkpoint_id = p_checkpoint_id
  cross join lateral :"schema".numbered(:"schema".conversation_refs(c.refs, c.state)) n
  join :"schema".items i on i.thread = t.id and i.position = n.position
  where t.owner = p_owner and t.thread_id = p_thread_id and n.number = p_number
    and (t.owner = :"schema".principal() or t.id = any(:"schema".shared(false)))
  into rated;
  if rated.thread is null then
    return null;
  elsif rated.label_set <> 0 and rated.label_set <> all (:"schema".readable(array[rated.label_set])) then
    raise exception 'withheld' using errcode = 'MRG08', detail = p_thread_id, hint = p_owner;
  end if;
  insert into :"schema".feedback as f (owner, thread, position, rater, rating, comment, sealed_comment)
  values (p_owner, rated.thread, rated.position, :"schema".principal(), p_rating, p_comment, p_sealed_comment)
  on conflict (thread, position, rater) do update
  set rating = excluded.rating, comment = excluded.comment, sealed_comment = excluded.sealed_comment, rated_at = now()
  returning f.rated_at into found_at;
  perform :"schema".note('rated', p_owner, rated.thread, p_thread_id);
  return found_at;
exception when foreign_key_violation then
  return null;  -- it was deleted meanwhile
end
$$;

-- A row for each opinion that may be seen of a message of `messages`, with which it shares owner, thread_id and position.
create view :"schema".ratings with (security_invoker) as
select t.owner, t.thread_id, n.number as position, f.rater, f.rating as feedback,
  coalesce(f.comment, case when f.sealed_comment is not null then '[encrypted]' end) as comment, f.rated_at
from :"schema".feedback f
join :"schema".threads t on t.id = f.thread
cross join lateral (
  select :"schema".conversation_refs(c.refs, c.state) as refs
  from :"schema".checkpoints c where c.thread = t.id and c.ns = '' order by c.seq desc limit 1
) latest
join lateral :"schema".numbered(latest.refs) n on n.position = f.position;

revoke all on function :"schema".numbered(int[]), :"schema".rate(text, text, text, int, text, text, bytea) from public;
grant execute on function :"schema".numbered(int[]), :"schema".rate(text, text, text, int, text, text, bytea)
  to :"runtime_role";
grant select on :"schema".feedback, :"schema".ratings to :"runtime_role";
