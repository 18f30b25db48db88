"""What keeps sessions whole: order, leases, retries, deletion and retention; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import (
    CANCELLED,
    CONTRACT,
    DELETED,
    DELTA,
    ERASED,
    FUNCTIONS,
    HOLDS,
    KEPT,
    LEASES,
    LOST,
    OPENING,
    ORDERING,
    QUERIES,
    RETENTION,
    SAVER,
    SHARING,
    TOGETHER,
    Mutant,
)


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


ENGINE = [
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
        "    order by c.seq desc limit %(limit)s\n  ) c",
        "    order by c.checkpoint_id desc limit %(limit)s\n  ) c",
        (ORDERING,),
    ),
    Mutant(
        "so is one of several threads",
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
        "who lost a lease deletes and prunes no more",
        "checkpointer/sql/migrations/0002_leases.sql",
        "where (t.id, t.fence) <> (l.id, l.fence)",
        "where false",
        ("tests/integration/test_leases.py",),
    ),
    Mutant(
        "a text that holds a NUL is not cut off there",
        "checkpointer/calls.py",
        'if "\\0" in param:',
        "if False:",
        ("tests/chaos/test_cancelled.py",),
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
        "current_setting('mooring.administer', true) = 'on' and pg_has_role(session_user, current_user, 'MEMBER')",
        "current_setting('mooring.administer', true) = 'on'",
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
