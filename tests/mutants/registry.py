"""What protects sessions, and how each protection is taken away: a text of one file becomes another.

To add one: name it by what is missing, copy the text from the file (it must be there exactly once), and name the tests
that have to fail without it. tests/unit/test_mutants.py tells when a text or a test is no longer there.
"""

from __future__ import annotations

from dataclasses import dataclass

INITIAL = "checkpointer/sql/migrations/0001_initial.sql"
FUNCTIONS = "checkpointer/sql/migrations/0004_functions.sql"
RETENTION = "checkpointer/sql/migrations/0005_retention.sql"
LABELS = "checkpointer/sql/migrations/0003_labels.sql"
SHARING = "checkpointer/sql/migrations/0006_sharing.sql"
AUDIT = "checkpointer/sql/migrations/0007_audit.sql"
TRANSCRIPTS = "checkpointer/sql/migrations/0008_transcripts.sql"
QUERIES = "checkpointer/sql/queries.sql"

ISOLATION = "tests/security/test_isolation.py"
OPENING = "tests/integration/test_saver_opening.py"
ORDERING = "tests/integration/test_ordering.py"
DELTA = "tests/integration/test_delta_channel.py"
SAVER = "tests/integration/test_saver.py"
LEASES = "tests/integration/test_leases.py"
LOST = "tests/chaos/test_lost_connections.py"
CANCELLED = "tests/chaos/test_cancelled.py"
HOLDS = "tests/security/test_legal_holds.py"
DELETED = "tests/integration/test_deleted_threads.py"
KEPT = "tests/integration/test_retention.py"
SHARED = "tests/security/test_sharing.py"
AUDITED = "tests/security/test_audit.py"
SHOWN = "tests/integration/test_transcripts.py"
ERASED = "tests/security/test_erasure.py"
CHATS = "tests/integration/test_chat_views.py"
SEEN = "tests/security/test_transcript_views.py"
CONTRACT = "tests/differential/test_contract.py"
TOGETHER = "tests/integration/test_stored_together.py"
REVOKED = "tests/security/test_revocation.py"


@dataclass(frozen=True)
class Mutant:
    """A protection that is missing, and the tests that notice."""

    name: str
    file: str
    text: str
    becomes: str
    tests: tuple[str, ...]


def _tables() -> list[Mutant]:
    mutants = []
    for table in ("threads", "items", "checkpoints", "writes"):
        policy = f'create policy own on :"schema".{table} using ('
        mutants += [
            Mutant(
                f"policy of {table}",
                INITIAL,
                f'{policy}owner = (select :"schema".principal()));',
                f"{policy}true);",
                (ISOLATION,),
            ),
            Mutant(
                f"row-level security of {table}",
                INITIAL,
                f'alter table :"schema".{table} enable row level security;\n',
                "",
                (ISOLATION,),
            ),
            Mutant(
                f"FORCE on {table}",
                INITIAL,
                f'alter table :"schema".{table} force row level security;\n',
                "",
                (f"{ISOLATION}::test_every_table_is_governed",),
            ),
        ]
    return mutants


def _holds() -> list[Mutant]:
    return [
        Mutant(
            f"a hold keeps {table}",
            RETENTION,
            f'create trigger keep_held after delete on :"schema".{table}\n',
            f'create trigger keep_held after update on :"schema".{table}\n',
            (HOLDS,),
        )
        for table in ("items", "checkpoints", "writes")
    ]


def _fingerprints() -> list[Mutant]:
    """What a fingerprint looks at: each is a way to lose or change the right to a table."""
    parts = {
        "the schema's privilege": ("or not has_schema_privilege(who, it.relnamespace, 'USAGE')", ""),
        "the grants on columns": ("and has_column_privilege(who, relation, a.attnum, 'SELECT')", ""),
        "the text of policies": ("else ' and ' end || seen.text;", "else ' and ' end;"),
        "that policies are on": ("if it.relrowsecurity and (", "if false and ("),
        "the groups that policies are for": ("where granted = 0 or pg_has_role(who, granted, 'USAGE')", "where true"),
        "the text of a view": ("rules := rules || ' view ' || seen.text;", "rules := rules || ' view ';"),
        "what stands behind a view of the invoker's": ("if it.invoker or not exists", "if false and not exists"),
        "rules that hang on more than their text": (
            "or (not is_view and tree like '%{SUBLINK %');",
            ";",
        ),
    }
    return [Mutant(f"a fingerprint has {name}", LABELS, *change, (REVOKED,)) for name, change in parts.items()]


def _shares() -> list[Mutant]:
    return [
        Mutant(
            f"a viewer does not {verb} {table}",
            SHARING,
            f'on :"schema".{table} for {verb}{role}\n  {check} (thread = any((select :"schema".shared(true))',
            f'on :"schema".{table} for {verb}{role}\n  {check} (thread = any((select :"schema".shared(false))',
            (SHARED,),
        )
        for verb, table, role, check in (
            ("insert", "checkpoints", "", "with check"),
            ("insert", "writes", "", "with check"),
            ("update", "checkpoints", "", "using"),
            ("update", "writes", "", "using"),
        )
    ]


MUTANTS = [
    *_tables(),
    *_fingerprints(),
    # --- what was read from tables --------------------------------------------------------------------------------
    Mutant(
        "what may not be read any more is not shown in a state",
        FUNCTIONS,
        " and i.label_set <> all(closed)\n",
        "\n",
        (REVOKED,),
    ),
    Mutant(
        "nor what a process holds of it",
        FUNCTIONS,
        "    if closed <> '{}' then\n",
        "    if false then\n",
        (REVOKED,),
    ),
    Mutant(
        "nor in the view",
        LABELS,
        'any((select :"schema".readable_sets())::int[]) then i.message end',
        'any((select :"schema".readable_sets())::int[]) or true then i.message end',
        (REVOKED,),
    ),
    Mutant(
        "another table of the name is another source",
        LABELS,
        "where t.relation = a.relation and t.source = a.source and t.print = a.fingerprint",
        "where t.relation = a.relation and t.print = a.fingerprint",
        (REVOKED,),
    ),
    Mutant(
        "a label runs out",
        LABELS,
        "coalesce(l.expires_at <= now(), false) and (l.reader is null or l.fingerprint like '%~') as ran_out",
        "false as ran_out",
        (REVOKED,),
    ),
    Mutant(
        "what is small and labelled is not kept in the checkpoint itself",
        "checkpointer/encoding.py",
        "return small and not self.apart and not self.labels_of(value)",
        "return small and not self.apart",
        (REVOKED,),
    ),
    Mutant(
        "an error carries the labels of what its task saw",
        "checkpointer/storing.py",
        "return any(channel in (ERROR, INTERRUPT) for channel, _ in self.writes)",
        "return False",
        (REVOKED,),
    ),
    Mutant(
        "an answer carries the labels of its prompt",
        "agent/provenance.py",
        "return _with(answer, metadata, labels_of([m for m in prompt if isinstance(m, AIMessage | ToolMessage)]))",
        "return _with(answer, metadata, labels_of(answer))",
        (REVOKED,),
    ),
    Mutant(
        "a placeholder that is stored on keeps the original",
        "checkpointer/encoding.py",
        "        return withheld.item\n",
        "        return None\n",
        (REVOKED,),
    ),
    # --- who is believed ------------------------------------------------------------------------------------------
    Mutant(
        "anybody is believed about the principal",
        INITIAL,
        """when pg_catalog.pg_has_role(session_user, :'runtime_role'::name, 'MEMBER')""",
        "when true",
        ("tests/security/test_direct_sql.py", ISOLATION),
    ),
    Mutant(
        "the functions' check that the binding is believed",
        FUNCTIONS,
        'if :"schema".principal() is distinct from p_principal then',
        "if false then",
        (f"{OPENING}::test_a_person_s_own_login_is_not_believed_about_others",),
    ),
    Mutant(
        "the pipeline's check that the binding is believed",
        "checkpointer/runner.py",
        "if bound[0][1] is not True:",
        "if bound[0][1] is None:",
        (f"{OPENING}::test_a_person_s_own_login_is_not_believed_about_others",),
    ),
    Mutant(
        "the binding ends with its transaction",
        FUNCTIONS,
        "bound := pg_catalog.set_config('mooring.principal', p_principal, true);",
        "bound := pg_catalog.set_config('mooring.principal', p_principal, false);",
        (CANCELLED,),
    ),
    Mutant(
        "the binding of a pipeline ends with its transaction",
        QUERIES,
        "select pg_catalog.set_config('mooring.principal', %(principal)s, true),",
        "select pg_catalog.set_config('mooring.principal', %(principal)s, false),",
        (CANCELLED,),
    ),
    Mutant(
        "roles that read past the policies are refused",
        "checkpointer/migrations.py",
        "    if roles:\n",
        "    if not roles and roles:\n",
        (OPENING,),
    ),
    Mutant(
        "a checkpoint belongs to a thread of its owner",
        INITIAL,
        """  unique (thread, seq),
  foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade,
""",
        "  unique (thread, seq),\n",
        (f"{ISOLATION}::test_a_child_row_cannot_be_put_under_another_s_thread",),
    ),
    # --- sharing --------------------------------------------------------------------------------------------------
    *_shares(),
    Mutant(
        "a share is for whom it names",
        SHARING,
        "      and s.grantee = any((select",
        "      and s.grantee is not null or s.grantee = any((select",
        (SHARED,),
    ),
    Mutant(
        "a group is not a person of its name",
        SHARING,
        "      and case when s.is_group then",
        "      and case when true then true when s.is_group then",
        (SHARED,),
    ),
    Mutant(
        "a login claims no group",
        SHARING,
        "when pg_catalog.pg_has_role(session_user, :'runtime_role'::name, 'MEMBER') and",
        "when true and",
        (SHARED,),
    ),
    Mutant(
        "nobody is in no group",
        SHARING,
        """'MEMBER') and :"schema".principal() is not null\n""",
        "'MEMBER')\n",
        (SHARED,),
    ),
    Mutant(
        "the groups of one are not those of the next",
        FUNCTIONS,
        "bound := pg_catalog.set_config('mooring.groups', p_groups::text, true);",
        "if p_groups <> '{}' then bound := pg_catalog.set_config('mooring.groups', p_groups::text, false); end if;",
        (SHARED,),
    ),
    Mutant(
        "who writes to another's thread is an editor",
        SHARING,
        '  elsif seen <> all (:"schema".shared(true)) then',
        "  elsif false then",
        (SHARED,),
    ),
    Mutant(
        "an editor does not rename or keep",
        SHARING,
        'create policy edited on :"schema".threads for update to current_user\n',
        'create policy edited on :"schema".threads for update\n',
        (SHARED,),
    ),
    Mutant(
        "who shares is the owner",
        SHARING,
        """t where t.owner = :"schema".principal() and t.thread_id = p_thread_id and t.next_seq > 0\n  on conflict""",
        "t where t.thread_id = p_thread_id and t.next_seq > 0\n  on conflict",
        (SHARED,),
    ),
    Mutant(
        "a run that goes on in it keeps a thread from being given away",
        SHARING,
        "  if it.lease_until > clock_timestamp() then",
        "  if false then",
        (SHARED,),
    ),
    Mutant(
        "a reader's memory of a thread is not another's",
        "checkpointer/addresses.py",
        "return (owner, thread_id) if reader == owner else (owner, thread_id, reader)",
        "return (owner, thread_id)",
        (SHARED,),
    ),
    Mutant(
        "another's thread is another run",
        "checkpointer/runs.py",
        'return str(configurable.get("thread_id")), str(configurable.get(OWNER) or "")',
        'return str(configurable.get("thread_id")), ""',
        (f"{SHARED}::test_a_node_that_reaches_into_another_s_thread_of_the_same_name_stays_apart",),
    ),
    # --- audit ----------------------------------------------------------------------------------------------------
    Mutant(
        "people see lines that concern them",
        AUDIT,
        'or counterpart = (select :"schema".principal()) or (select :"schema".is_auditor())',
        "or true",
        (AUDITED,),
    ),
    Mutant(
        "who opens another's thread is told of",
        FUNCTIONS,
        '    perform :"schema".opened(p_owner, p_thread_id);\n',
        "    null;\n",
        (AUDITED,),
    ),
    Mutant(
        "who takes a lease is told of",
        SHARING,
        "  if found then\n    perform :\"schema\".note('wrote'",
        "  if false then\n    perform :\"schema\".note('wrote'",
        (AUDITED,),
    ),
    Mutant(
        "what a query read is told",
        FUNCTIONS,
        "  if read_statements <> '{}' then\n",
        "  if false then\n",
        (AUDITED,),
    ),
    Mutant(
        "what is withheld is told",
        AUDIT,
        "  if current_setting('transaction_read_only') = 'off' then\n",
        "  if false then\n",
        (AUDITED,),
    ),
    Mutant(
        "who deletes is told of",
        AUDIT,
        "for each row when (old.next_seq > 0) execute",
        "for each row when (false) execute",
        (AUDITED,),
    ),
    Mutant(
        "only auditors break the glass",
        AUDIT,
        '  if not :"schema".is_auditor() then\n',
        "  if false then\n",
        (AUDITED,),
    ),
    Mutant(
        "glass that is broken is mended after a minute",
        AUDIT,
        "interval '1 minute'",
        "interval '1 year'",
        (AUDITED,),
    ),
    Mutant(
        "the functions alone write to the audit",
        AUDIT,
        'create policy functions on :"schema".audit to current_user using (true);',
        'create policy functions on :"schema".audit using (true);\ngrant insert on :"schema".audit to :"runtime_role";',
        (AUDITED,),
    ),
    # --- values ---------------------------------------------------------------------------------------------------
    Mutant(
        "the list of types that may be rebuilt",
        "checkpointer/serializer.py",
        "allowed_msgpack_modules=(Withheld, *allowed_types)",
        "allowed_msgpack_modules=True",
        ("tests/integration/test_lossless.py",),
    ),
    Mutant(
        "what could not be read back is refused",
        "checkpointer/serializer.py",
        "raise BlockedTypeError(tuple(sorted(set(_blocked.types))))",
        "pass",
        ("tests/integration/test_lossless.py",),
    ),
    # --- order and history ----------------------------------------------------------------------------------------
    Mutant(
        "the latest is the latest committed",
        FUNCTIONS,
        "order by c.seq desc limit 1 into target;",
        "order by c.checkpoint_id desc limit 1 into target;",
        (ORDERING,),
    ),
    Mutant(
        "a listing is in the order of commits",
        QUERIES,
        "order by c.thread desc, c.seq desc limit %(limit)s",
        "order by c.thread desc, c.checkpoint_id desc limit %(limit)s",
        (ORDERING,),
    ),
    Mutant(
        "a special write replaces",
        FUNCTIONS,
        "    if replaces then",
        "    if false then",
        (CONTRACT,),
    ),
    Mutant(
        "a DeltaChannel's history keeps to its branch",
        QUERIES,
        "c.ns = %(ns)s and c.checkpoint_id = chain.parent_id\n  where chain.depth",
        'c.ns = %(ns)s and c.checkpoint_id < chain.checkpoint_id and not exists (select from :"schema".checkpoints n'
        " where n.thread = c.thread and n.ns = c.ns and n.checkpoint_id > c.checkpoint_id"
        " and n.checkpoint_id < chain.checkpoint_id)\n  where chain.depth",
        (DELTA,),
    ),
    Mutant(
        "pruning keeps what a DeltaChannel is rebuilt from",
        QUERIES,
        "  where k.depth > 0\n",
        "  where false\n",
        (DELTA,),
    ),
    Mutant(
        "pruning leaves writes whose checkpoint is on its way",
        QUERIES,
        "where w.owner = %(owner)s and (w.thread, w.ns, w.checkpoint_id) = (gone.thread, gone.ns, gone.checkpoint_id)",
        "where w.owner = %(owner)s and w.thread = gone.thread",
        (DELTA,),
    ),
    Mutant(
        "positions that another process deleted are forgotten",
        QUERIES,
        "set epoch = epoch + 1 where owner = %(owner)s and thread_id",
        "set epoch = epoch where owner = %(owner)s and thread_id",
        (SAVER,),
    ),
    Mutant(
        "positions that another process deleted with their run are forgotten",
        QUERIES,
        "set epoch = epoch + 1 where owner = %(owner)s and id in",
        "set epoch = epoch where owner = %(owner)s and id in",
        (SAVER,),
    ),
    # --- one at a time --------------------------------------------------------------------------------------------
    Mutant(
        "a write carries its lease",
        FUNCTIONS,
        "      and (lease_id is null or (t.id = lease_id and t.fence = lease))\n",
        "",
        (LEASES,),
    ),
    Mutant(
        "a lease that is held is refused",
        SHARING,
        "    t.lease_until is null or t.lease_until <= clock_timestamp() or",
        "    true or",
        (LEASES,),
    ),
    Mutant(
        "migrations take turns",
        "checkpointer/migrations.py",
        "pg_catalog.pg_advisory_xact_lock(",
        "pg_catalog.length('' || ",
        (f"{OPENING}::test_ten_migrations_at_once_give_one_schema",),
    ),
    # --- faults ---------------------------------------------------------------------------------------------------
    Mutant(
        "an operation is tried again on a fresh connection",
        "checkpointer/runner.py",
        "self.attempts = max_size + 1",
        "self.attempts = 1",
        (LOST,),
    ),
    Mutant(
        "an item whose answer was lost is found again",
        FUNCTIONS,
        "where i.thread = keep_items.id and i.digest = u.digest",
        "where i.thread = keep_items.id and i.digest = u.digest and false",
        (LOST,),
    ),
    Mutant(
        "a copy whose answer was lost is known",
        "checkpointer/operations.py",
        "        if not made:\n",
        "        if made is not None:\n",
        (LOST,),
    ),
    Mutant(
        "a connection whose pipeline failed is closed",
        "checkpointer/runner.py",
        "            if not conn.broken:\n                conn.close()\n",
        "",
        (SAVER,),
    ),
    Mutant(
        "a connection whose operation was cancelled is closed",
        "checkpointer/runner.py",
        "            if not conn.broken:\n                await conn.close()\n",
        "",
        (CANCELLED,),
    ),
    # --- what stays and what goes ---------------------------------------------------------------------------------
    *_holds(),
    Mutant(
        "a hold keeps threads",
        RETENTION,
        'for each row execute function :"schema".keep_held_thread();',
        'for each row when (false) execute function :"schema".keep_held_thread();',
        (HOLDS,),
    ),
    Mutant(
        "a hold keeps what checkpoints say",
        RETENTION,
        'before update on :"schema".checkpoints\n  for each row when (old.* is distinct from new.*)',
        'before update on :"schema".checkpoints\n  for each row when (false)',
        (HOLDS,),
    ),
    Mutant(
        "a hold keeps what tasks wrote",
        RETENTION,
        "      old.idx >= 0\n",
        "      false\n",
        (HOLDS,),
    ),
    Mutant(
        "only the schema's owner administers",
        RETENTION,
        'create policy administrator on :"schema".threads to current_user',
        'create policy administrator on :"schema".threads',
        (HOLDS,),
    ),
    Mutant(
        "nobody else learns of a hold",
        RETENTION,
        "      and (h.owner =",
        "      and (true or h.owner =",
        (HOLDS,),
    ),
    Mutant(
        "nobody is taken along by another run",
        "checkpointer/company.py",
        ", id(where.incarnation)",
        "",
        (TOGETHER,),
    ),
    Mutant(
        "nobody is taken along by another checkpoint",
        "checkpointer/company.py",
        "where.ns, where.checkpoint_id, where.lease",
        "where.ns, where.lease",
        (TOGETHER,),
    ),
    Mutant(
        "who was taken along is not stored again",
        "checkpointer/company.py",
        "        for each in others:\n            each.stored = True\n    except",
        "        pass\n    except",
        (TOGETHER,),
    ),
    Mutant(
        "a run's late write does not bring a thread back",
        "checkpointer/storing.py",
        "    if where.incarnation is not None and where.incarnation.thread is not None:\n",
        "    if where.incarnation is not None and where.incarnation.thread == -1:\n",
        (DELETED,),
    ),
    Mutant(
        "nor does a late write outside of a run",
        "checkpointer/storing.py",
        '    return ctx.memory.thread_of(where.memo, (where.ns or "", where.checkpoint_id))',
        "    return None",
        (DELETED,),
    ),
    Mutant(
        "nor does a subgraph of a run",
        "checkpointer/runs.py",
        "outer.incarnation if outer else Incarnation()",
        "Incarnation()",
        (DELETED,),
    ),
    Mutant(
        "a late write does not end up in a new conversation",
        "checkpointer/storing.py",
        "    memo = ctx.memory.get(where.memo, thread)\n    if memo is not None or",
        "    memo = ctx.memory.get(where.memo)\n    if memo is not None or",
        (DELETED,),
    ),
    Mutant(
        "a thread that was used meanwhile does not expire",
        QUERIES,
        "-- include: is_due\nand\n-- include: is_free\nreturning",
        "-- include: is_free\nreturning",
        (KEPT,),
    ),
    Mutant(
        "the last checkpoints stay with what they are rebuilt from",
        QUERIES,
        "  where rebuilt.steps > 0\n",
        "  where false\n",
        (KEPT,),
    ),
    Mutant(
        "a read is a use only where that is asked for",
        RETENTION,
        "coalesce(t.refresh_on_read, p_refresh)",
        "true",
        (KEPT,),
    ),
    # --- transcripts ----------------------------------------------------------------------------------------------
    Mutant(
        "a conversation is in the order of its list",
        TRANSCRIPTS,
        "order by m.run, m.position",
        "order by m.position",
        (SHOWN,),
    ),
    Mutant(
        "a conversation is the latest",
        TRANSCRIPTS,
        "order by c.seq desc limit 1\n  ) latest",
        "order by c.checkpoint_id limit 1\n  ) latest",
        (SHOWN,),
    ),
    Mutant(
        "a conversation is the root graph's",
        TRANSCRIPTS,
        "where c.thread = t.id and c.ns = '' order",
        "where c.thread = t.id order",
        (SHOWN,),
    ),
    Mutant(
        "what jsonb has not is replaced",
        TRANSCRIPTS,
        "    return plain::jsonb;",
        "    return body::jsonb;",
        (SHOWN,),
    ),
    Mutant(
        "a written backslash begins no escape",
        TRANSCRIPTS,
        "plain := replace(body, '\\\\', '\\u005c');",
        "plain := body;",
        (SHOWN,),
    ),
    Mutant(
        "a call has its own result",
        TRANSCRIPTS,
        "case when a.is_call and a.id is not null and not lead(a.is_call) over same then",
        "case when a.is_call and a.id is not null then",
        (SHOWN,),
    ),
    Mutant(
        "sources of other people's content are not told",
        TRANSCRIPTS,
        '    where s.id in (select pg_catalog.unnest(t.label_sets) from :"schema".threads t)\n',
        "",
        (SEEN,),
    ),
    Mutant(
        "transcripts show what may be read now",
        TRANSCRIPTS,
        "then i.message end as message",
        "then i.message else i.message end as message",
        (SEEN,),
    ),
    Mutant(
        "the time of a page's messages tells their order",
        "checkpointer/sql/chat.sql",
        """max(c.created_at) over (partition by :"schema".uuid_of(c.owner, c.thread_id) order by c.position)""",
        "c.created_at",
        (CHATS,),
    ),
    Mutant(
        "why a label is held is what decides",
        TRANSCRIPTS,
        "          when l.id <> all (m.ids) then 'held'\n",
        "          when l.fingerprint like '%' then 'held'\n",
        ("tests/security/test_why.py",),
    ),
    # --- erasure --------------------------------------------------------------------------------------------------
    Mutant(
        "an erasure stops before a legal hold",
        "checkpointer/erasure.py",
        "    if found.held and not except_held:\n",
        "    if found.held and except_held:\n",
        (ERASED,),
    ),
    Mutant(
        "an erasure waits for whoever is about to use a label set",
        QUERIES,
        'lock table :"schema".label_sets in access exclusive mode',
        "select 1",
        (ERASED,),
    ),
    Mutant(
        "labels of others stay",
        QUERIES,
        'where s.id not in (select unnest(t.label_sets) from :"schema".threads t)\n',
        "where true\n",
        (ERASED,),
    ),
]
