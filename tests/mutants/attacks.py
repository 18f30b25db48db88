"""What withstands those who mean ill: by rights, by names and texts, by claims, by SQL; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import INITIAL, RETENTION, SHARING, Mutant

RIGHTS = "tests/security/test_rights.py"
PERSONAS = "tests/security/test_personas.py"
HOSTILE = "tests/security/test_hostile_texts.py"
CROWD = "tests/security/test_crowd.py"
FORGERIES = "tests/security/test_forgeries.py"
HIDDEN = "tests/security/test_hidden_calls.py"

DRIVEN = "checkpointer/driven.py"
HIDDEN_FUNCTIONS = "tools/postgres/sql/hidden_functions.sql"
GUARD = "tools/postgres/guard.py"
ROWS = "tools/postgres/rows.py"

_EVERYBODY_S = """class _Everybodys:
    value: Principal | None = None

    def get(self) -> Principal | None:
        return self.value

    def set(self, value: Principal | None) -> Principal | None:
        self.value, before = value, self.value
        return before

    reset = set


_bound = _Everybodys()"""


def _hidden_calls() -> list[Mutant]:
    """The ways to a function that a name does not betray."""
    parts = {
        "an operator": ("where o.oid >= 16384 and o.oprname", "where false and o.oprname"),
        "an operator inside of a view": (
            "from inside i join pg_catalog.pg_operator o on o.oid = i.oid where i.class",
            "from inside i join pg_catalog.pg_operator o on false where i.class",
        ),
        "a cast": (
            "  where c.castsource < 16384 and c.casttarget < 16384\n"
            "    or c.castsource in (select oid from of_types) or c.casttarget in (select oid from of_types)",
            "  where false",
        ),
        "a domain": (
            "select k.func, false from checks k where k.type",
            "select k.func, false from checks k where false and k.type",
        ),
    }
    return [
        Mutant(f"no function is called behind {name}", HIDDEN_FUNCTIONS, *change, (HIDDEN,))
        for name, change in parts.items()
    ]


ATTACKS = [
    Mutant(
        "a helper is for the roles that need it",
        RETENTION,
        'revoke all on function :"schema".administers(), :"schema".held(bigint)',
        'revoke all on function :"schema".held(bigint)',
        (f"{RIGHTS}::test_everybody_calls_the_functions_that_are_written_here_and_no_others",),
    ),
    Mutant(
        "no table is forgotten",
        INITIAL,
        'create table :"schema".migrations (',
        'create table :"schema".forgotten (secret text);\ncreate table :"schema".migrations (',
        (RIGHTS,),
    ),
    Mutant(
        "only its owner shares a thread",
        SHARING,
        't where t.owner = :"schema".principal() and t.thread_id = p_thread_id and t.next_seq > 0\n  on conflict',
        "t where t.thread_id = p_thread_id and t.next_seq > 0\n  on conflict",
        (PERSONAS,),
    ),
    Mutant(
        "a text that cannot be stored is told in our words",
        "checkpointer/runner.py",
        "if isinstance(error, REFUSED) and (refused",
        "if False and isinstance(error, REFUSED) and (refused",
        (HOSTILE,),
    ),
    Mutant(
        "each of many at once is who they are",
        "checkpointer/principal.py",
        '_bound: ContextVar[Principal | None] = ContextVar("mooring_principal", default=None)',
        _EVERYBODY_S,
        (f"{CROWD}::test_threads_of_a_saver",),
    ),
    Mutant(
        "what a config says of who asks is not believed",
        DRIVEN,
        "who = current_principal(default, config)",
        'claimed = (config.get("configurable") or {}).get("user_id")\n'
        "        who = Principal(claimed) if claimed else current_principal(default, config)",
        (FORGERIES,),
    ),
    Mutant(
        "what a model says that it read is not believed",
        "agent/provenance.py",
        "    return _with(answer, metadata, labels_of(",
        "    if answer.response_metadata:\n        return answer\n    return _with(answer, metadata, labels_of(",
        (FORGERIES,),
    ),
    *_hidden_calls(),
    Mutant("a name is cut as Postgres cuts it", GUARD, "_LONGEST = 63", "_LONGEST = 6300", (HIDDEN,)),
    Mutant(
        "signs are operators",
        GUARD,
        "for start, stop in combinations",
        "for start, stop in () and combinations",
        (HIDDEN,),
    ),
    Mutant("letters are folded as Postgres folds them", GUARD, "name.translate(_FOLDED)", "name.lower()", (HIDDEN,)),
    Mutant("nothing is looked up", GUARD, "sorted(words & _LOOKUPS)", "sorted(words & set())", (HIDDEN,)),
    Mutant(
        "no row is larger than the limits",
        ROWS,
        "if column.internal_size is None]",
        "if False]",
        (f"{HIDDEN}::test_no_result_fills_the_memory",),
    ),
    Mutant(
        "what the parser fails over is refused",
        "tools/statements.py",
        "    except Exception:  # noqa: BLE001 - the parser",
        "    except ZeroDivisionError:  # noqa: BLE001 - the parser",
        (f"{HIDDEN}::test_what_the_parser_fails_over_is_refused",),
    ),
]
