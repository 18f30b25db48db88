-- People who log in by themselves may read their own sessions with SQL. Variables: schema, login_role.
grant usage on schema :"schema" to :"login_role";
grant execute on function :"schema".principal(), :"schema".bind(text, text[], int[]),
  :"schema".get_parts(text, text[], int[], text, text, text, text, bigint, int4multirange), :"schema".touch(text, text, boolean, interval),
  :"schema".use_parts(text, text[], int[], text, text, text, text, bigint, int4multirange, boolean, interval)
  to :"login_role";
grant execute on function :"schema".groups(), :"schema".shared(boolean), :"schema".readable_sets(), :"schema".missing_sources(int),
  :"schema".withheld(bigint, int), :"schema".is_auditor(), :"schema".opened(text, text),
  :"schema".broken_threads() to :"login_role";
grant select on :"schema".migrations, :"schema".threads, :"schema".contents, :"schema".checkpoints, :"schema".writes,
  :"schema".shares, :"schema".audit to :"login_role";
grant select (owner, thread, position, kind, label_set, envelope) on :"schema".items to :"login_role";
grant execute on function :"schema".administers(), :"schema".held(bigint), :"schema".conversation_refs(int[], bytea), :"schema".readable_json(text),
  :"schema".text_of(jsonb), :"schema".label_sources(), :"schema".uuid_of(text[]), :"schema".why(text, text)
  to :"login_role";
grant select on :"schema".conversation, :"schema".sessions, :"schema".messages, :"schema".tool_calls to :"login_role";
grant execute on function :"schema".numbered(int[]) to :"login_role";
grant select on :"schema".feedback, :"schema".ratings to :"login_role";
