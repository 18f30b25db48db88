"""What is told of sessions, by the audit, in SQL and as reasons; and how each of its protections is taken away."""

from __future__ import annotations

from tests.mutants.mutant import (
    AUDIT,
    AUDITED,
    CHATS,
    FUNCTIONS,
    SEEN,
    SHARING,
    SHOWN,
    TRANSCRIPTS,
    Mutant,
)

RECORDS = [
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
]
