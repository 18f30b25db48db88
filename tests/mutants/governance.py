"""What keeps people's sessions from others, and from themselves what they may not read; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import (
    BEHIND,
    CANCELLED,
    CROSSING,
    FEEDBACK,
    FUNCTIONS,
    INITIAL,
    ISOLATION,
    LABELS,
    OPENING,
    QUERIES,
    RATED,
    REVOKED,
    RULED,
    RULES,
    SHARED,
    SHARING,
    TRANSCRIPTS,
    Mutant,
)


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


def _opinions() -> list[Mutant]:
    parts = {
        "everybody sees what others think": ("(rater = (select", "(true or rater = (select"),
        "what is said of a withheld message is seen": (
            "and (i.label_set = 0 or i.label_set = any((select",
            "and (true or i.label_set = any((select",
        ),
        "whoever may not read a message rates it": ("elsif rated.label_set <> 0 and", "elsif false and"),
        "a held session's opinions change": (
            'create trigger keep_held_content before update on :"schema".feedback\n'
            "  for each row when (old.* is distinct from new.*)",
            'create trigger keep_held_content before update on :"schema".feedback\n  for each row when (false)',
        ),
    }
    return [Mutant(name, FEEDBACK, *change, (RATED,)) for name, change in parts.items()]


def _fingerprints() -> list[Mutant]:
    """What a fingerprint looks at: each is a way to lose or change the right to a table."""
    parts = {
        "the grants on columns": (
            "has_column_privilege(who, relation, a.attnum, 'SELECT') as granted",
            "true as granted",
        ),
        "the text of policies": ("else ' and ' end || seen.text;", "else ' and ' end;"),
        "that policies are on": ("if it.filtered then", "if false then"),
        "the groups that policies are for": ("where granted = 0 or pg_has_role(who, granted, 'USAGE')", "where true"),
        "the text of a view": ("rules := rules || ' view ' || seen.text;", "rules := rules || ' view ';"),
        "what stands behind a view of the invoker's": (
            "when it.invoker then reader else",
            "when false then reader else",
        ),
        "rules that hang on more than their text": (
            "or (not is_view and tree like '%{SUBLINK %');",
            ";",
        ),
    }
    behind = {
        "every spelling of the invoker's": ("split_part(o, '=', 2)::boolean", "split_part(o, '=', 2) = 'true'"),
        "the reader, not the owner, of the invoker's view in a view": ("then reader else", "then who else"),
        "the reader, not the owner, in policies behind a view": (
            "personal := personal or seen.personal;\n      open := open or seen.open;\n      behind",
            "open := open or seen.open;\n      behind",
        ),
        "nothing for columns that are all granted": ("case when whole then '' else", "case when false then '' else"),
    }
    functions = {
        "the functions that functions call": ("where f.proname = any(written.names::name[]) and", "where false and"),
        "the functions that trees call": ("regexp_matches(p.prosqlbody::text, ", "regexp_matches('', "),
        "functions whose names are quoted": ("and position(f.proname in p.prosrc) > 0", "and false"),
        "the functions of operators": ("where o.oid >= 16384 and", "where false and"),
        "the functions of aggregates": ("where a.aggfnoid = p.oid", "where false"),
        "the right to call": ("then text end\n  from pg_proc", "or true then text end\n  from pg_proc"),
        "the tables in a function's text": ("(from|table|execute|", "(execute|"),
        "the tables in a function's tree": (r"|:rtekind 0\y|\{SUBLINK ", ""),
        "the person in a function's text": ("(current_user|session_user|", "("),
        "the person in a function's tree": ("p.prosqlbody::text ~ 'SQLVALUEFUNCTION :op (9|1[0-2])\\y'", "false"),
    }
    return [
        Mutant(
            "a fingerprint has the schema's privilege",
            LABELS,
            "and has_schema_privilege(who, c.relnamespace, 'USAGE')",
            "",
            (REVOKED,),
        ),
        *(
            Mutant(f"a fingerprint has {name}", RULES, *change, (tests,))
            for tests, changes in ((REVOKED, parts), (BEHIND, behind), (RULED, functions))
            for name, change in changes.items()
        ),
    ]


def _shares() -> list[Mutant]:
    return [
        Mutant(
            f"an editor writes {table} through functions only ({policy})",
            RULES,
            f'alter policy {policy} on :"schema".{table} to current_user;\n',
            "",
            (SHARED,),
        )
        for table, policy in (("checkpoints", "edited_again"), ("writes", "edited_again"))
    ] + [
        Mutant(
            f"an editor adds {table} through functions only",
            RULES,
            f'alter policy edited on :"schema".{table} to current_user;\n',
            "",
            ("tests/security/test_rights.py",),
        )
        for table in ("checkpoints", "writes")
    ]


def _crossing() -> list[Mutant]:
    """What random steps have to find."""
    wanted = 'label_set = any((select :"schema".readable_sets())::int[]) then i.message end as message'
    parts = {
        "labels are asked about": (LABELS, " where not wanted.labels && missing.labels;", ";"),
        "a label is held as it was read": (LABELS, "and t.print = a.fingerprint", "and t.print is not null"),
        "a share is asked about": (SHARING, "where (s.role = 'editor' or", "where true or (s.role = 'editor' or"),
        "a policy has its text": (RULES, "else ' and ' end || seen.text;", "else ' and ' end;"),
        "a view has what stands behind it": (
            RULES,
            "and d.refobjid <> relation and c.relkind in",
            "and false and c.relkind in",
        ),
        "a login reads its own items": (
            INITIAL,
            'create policy own on :"schema".items using (owner = (select :"schema".principal()));',
            'create policy own on :"schema".items using (true);',
        ),
        "a login reads by its labels": (TRANSCRIPTS, wanted, wanted.replace("then", "or true then")),
    }
    return [Mutant(f"by random steps: {name}", *change, (CROSSING,)) for name, change in parts.items()]


GOVERNANCE = [
    *_tables(),
    *_opinions(),
    *_fingerprints(),
    *_crossing(),
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
        TRANSCRIPTS,
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
        "a response is told from memory to whom its session would tell it",
        "agent/server/elsewhere.py",
        "return stored is not None and stored.whole",
        "return True",
        ("tests/serving/test_server_withheld.py",),
    ),
    Mutant(
        "a dict that is labelled itself is one item",
        "checkpointer/encoding.py",
        "return not all(labels <= each for each in found)",
        "return False",
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
        SHARING,
        """alter table :"schema".checkpoints drop constraint checkpoints_owner_thread_fkey,
  add foreign key (owner, thread) references :"schema".threads (owner, id) on delete cascade on update cascade;
""",
        'alter table :"schema".checkpoints drop constraint checkpoints_owner_thread_fkey;\n',
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
        "groups that a session was left with are cleared",
        FUNCTIONS,
        "if p_groups <> '{}' or pg_catalog.current_setting('mooring.groups', true) <> '' then",
        "if p_groups <> '{}' then",
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
        (f"{SHARED}/test_together.py::test_a_node_that_reaches_into_another_s_thread_of_the_same_name_stays_apart",),
    ),
]
