"""Who may do what with every table, view and function of the schema: of those that its catalog lists."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from agent.local.bootstrap import READERS, SERVICE
from tests.security.stage import SECRET, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

# What of reading, inserting, updating, deleting and truncating (r, i, u, d, t) a persona may do with the owner's rows;
# `.` where it meets none, `-` where it is refused. "bound": the runtime role acting for somebody; "broker": a member of
# that, acting for the owner; the others log in as who they are, and say to be the owner.
EXPECTED = """
              bound-owner bound-editor bound-viewer bound-member bound-stranger bound-auditor broker unbound
audit         r----       r----        r----        .----        .----          r----         r----  .----
checkpoints   riud-       r-..-        r-..-        r-..-        .-..-          .-..-         riud-  .-..-
contents      r----       r----        r----        r----        .----          .----         r----  .----
conversation  r----       r----        r----        r----        .----          .----         r----  .----
feedback      r----       .----        .----        .----        .----          .----         r----  .----
holds         -----       -----        -----        -----        -----          -----         -----  -----
items         r--d-       r--.-        r--.-        r--.-        .--.-          .--.-         r--d-  .--.-
label_sets    -----       -----        -----        -----        -----          -----         -----  -----
labels        -----       -----        -----        -----        -----          -----         -----  -----
messages      r----       r----        r----        r----        .----          .----         r----  .----
migrations    r----       r----        r----        r----        r----          r----         r----  r----
ratings       r----       .----        .----        .----        .----          .----         r----  .----
sessions      r----       r----        r----        r----        .----          .----         r----  .----
shares        r----       r----        r----        r----        .----          .----         r----  .----
threads       riud-       r-..-        r-..-        r-..-        .-..-          .-..-         riud-  .-..-
tool_calls    r----       r----        r----        r----        .----          .----         r----  .----
writes        riud-       r-..-        r-..-        r-..-        .-..-          .-..-         riud-  .-..-
chat.chats    r----       r----        r----        r----        .----          .----         r----  .----
chat.messages r----       r----        r----        r----        .----          .----         r----  .----

              owner viewer member stranger auditor nobody migrator administrator
audit         r---- r----  .----  .----    r----   -----  riudt    riudt
checkpoints   r---- r----  r----  .----    -----   -----  .-..t    riudt
contents      r---- r----  r----  .----    -----   -----  .-..-    r-ud-
conversation  r---- r----  r----  .----    -----   -----  .----    r----
feedback      r---- .----  .----  .----    -----   -----  riudt    riudt
holds         ----- -----  -----  -----    -----   -----  riudt    riudt
items         r---- r----  r----  .----    -----   -----  .-..t    riudt
label_sets    ----- -----  -----  -----    -----   -----  riudt    riudt
labels        ----- -----  -----  -----    -----   -----  riudt    riudt
messages      r---- r----  r----  .----    -----   -----  .----    r----
migrations    r---- r----  r----  r----    -----   -----  ri..t    ri..t
ratings       r---- .----  .----  .----    -----   -----  .----    r----
sessions      r---- r----  r----  .----    -----   -----  .-..-    r-ud-
shares        r---- r----  r----  .----    -----   -----  riudt    riudt
threads       r---- r----  r----  .----    -----   -----  .-..t    riudt
tool_calls    r---- r----  r----  .----    -----   -----  .----    r----
writes        r---- r----  r----  .----    -----   -----  .-..t    riudt
chat.chats    r---- r----  r----  .----    -----   -----  .--.-    r--d-
chat.messages r---- r----  r----  .----    -----   -----  .----    r----
"""
# Of these tables a role has some columns only.
COLUMNS = {
    ("items", "select"): "owner thread position kind label_set envelope",
    ("threads", "insert"): "owner thread_id title",
    ("threads", "update"): "title sealed_title epoch read_at keep_last ttl refresh_on_read",
}
# Who may call which function; any other is for the functions and policies of the schema's owner alone.
CALLED = {
    "anybody": "labels_of",
    "auditors": "is_auditor principal",
    "people": """
        administers bind broken_threads conversation_refs get_parts groups held is_auditor label_sources
        missing_sources numbered opened principal readable_json readable_sets shared text_of touch use_parts uuid_of why
        withheld
    """,
    "the runtime role": """
        administers bind break_glass broken_session broken_threads conversation_refs copy_content exported
        get_parts groups held is_auditor label_sources missing_sources numbered opened principal rate
        readable_json readable_sets release_lease renew_lease require_editor require_leases share shared store
        take_lease text_of touch transfer unshare use_parts uuid_of why withheld
    """,
}
# Whom a function that anybody could give something to is tried by, with the owner's thread.
OUTSIDERS = ("bound stranger", "unbound", "bound auditor", "stranger", "auditor", "nobody")


@pytest.fixture(scope="module")
def stage(lakehouse: Database) -> Iterator[Stage]:
    assert lakehouse.superuser is not None
    with psycopg.connect(lakehouse.superuser, autocommit=True) as admin, Stage(lakehouse, admin) as opened:
        yield opened


def rights_of(stage: Stage, persona: str) -> dict[str, str]:
    """Try everything on everything: by relation the verbs that do something, else `.` or `-`."""
    with stage.connection(persona) as conn:
        return {
            ("chat." if schema.startswith("chat") else "") + name: "".join(
                outcome(conn, verb, statement)
                for verb, statement in attempts(stage, conn, sql.Identifier(schema, name), (schema, name)).items()
            )
            for schema, name, _ in stage.relations()
        }


def outcome(conn: psycopg.Connection[Any], verb: str, statement: sql.Composed) -> str:
    """Run a statement for nothing, and tell what came of it."""
    try:
        with conn.transaction(force_rollback=True):
            done = conn.execute(statement)
            return verb if verb == "t" or done.rowcount > 0 else "."
    except psycopg.errors.InsufficientPrivilege:
        return "-"
    except psycopg.IntegrityError:
        return verb  # a row that is there already, or is held: neither privilege nor policy was in the way
    except (psycopg.errors.WrongObjectType, psycopg.errors.ObjectNotInPrerequisiteState, psycopg.NotSupportedError):
        return "-"  # no view takes writes


def attempts(
    stage: Stage, conn: psycopg.Connection[Any], table: sql.Identifier, named: tuple[str, str]
) -> dict[str, sql.Composed]:
    """Return a statement for each verb: read, insert (what is there already), update, delete, truncate."""
    columns = stage.admin.execute(
        "select a.attname::text, has_column_privilege(%s::name, c.oid, a.attnum, 'insert'),"
        " has_column_privilege(%s::name, c.oid, a.attnum, 'update') from pg_attribute a"
        " join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped and a.attidentity <> 'a'"
        " order by a.attnum",
        [conn.info.user, conn.info.user, *named],
    ).fetchall()
    names = [name for name, _, _ in columns]
    given = sql.SQL(", ").join(map(sql.Identifier, [name for name, may, _ in columns if may] or names))
    changed = sql.Identifier(next((name for name, _, may in columns if may), names[0]))
    row = stage.admin.execute(sql.SQL("select row_to_json(t)::text from {} t limit 1").format(table)).fetchone()
    again = sql.Literal(row[0] if row else "{}")
    return {
        "r": sql.SQL("select from {}").format(table),
        "i": sql.SQL("insert into {} ({}) select {} from json_populate_record(null::{}, {})").format(
            table, given, given, table, again
        ),
        "u": sql.SQL("update {} set {} = {}").format(table, changed, changed),
        "d": sql.SQL("delete from {}").format(table),
        "t": sql.SQL("truncate {} cascade").format(table),
    }


def expected() -> dict[str, dict[str, str]]:
    """Return the table above: by persona and relation."""
    found: dict[str, dict[str, str]] = {}
    for part in EXPECTED.strip("\n").split("\n\n"):
        heading, *lines = part.split("\n")
        for number, persona in enumerate(heading.split(), start=1):
            found[persona.replace("-", " ")] = {line.split()[0]: line.split()[number] for line in lines}
    return found


@pytest.mark.parametrize("persona", expected())
def test_everybody_may_do_with_every_table_and_view_what_is_written_here_and_no_more(
    stage: Stage, persona: str
) -> None:
    assert rights_of(stage, persona) == expected()[persona]


def test_where_a_role_has_some_columns_they_are_these(stage: Stage) -> None:
    found = stage.admin.execute(
        "select distinct c.relname::text, verb, string_agg(a.attname::text, ' ' order by a.attnum)"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,"
        " unnest(array['select', 'insert', 'update', 'references']) verb, unnest(%s::text[]) role"
        " where c.relnamespace = %s::regnamespace and not has_table_privilege(role::name, c.oid, verb)"
        " and has_column_privilege(role::name, c.oid, a.attnum, verb) group by c.relname, verb, role",
        [[SERVICE, READERS, stage.role("auditors"), stage.role("nobody")], stage.schema],
    ).fetchall()
    assert {(table, verb): columns for table, verb, columns in found} == COLUMNS


def test_everybody_calls_the_functions_that_are_written_here_and_no_others(stage: Stage) -> None:
    roles = {
        "anybody": stage.role("nobody"),
        "auditors": stage.role("auditors"),
        "people": READERS,
        "the runtime role": SERVICE,
    }
    for who, role in roles.items():
        found = stage.admin.execute(
            "select proname::text from pg_proc"
            " where pronamespace = %s::regnamespace and has_function_privilege(%s::name, oid, 'execute')",
            [stage.schema, role],
        ).fetchall()
        assert sorted(name for (name,) in found) == sorted({*CALLED[who].split(), *CALLED["anybody"].split()}), who


def test_what_runs_with_the_owner_s_rights_looks_in_no_schema_of_a_caller_s(stage: Stage) -> None:
    found = stage.admin.execute(
        "select proname::text from pg_proc where pronamespace = %s::regnamespace and prosecdef"
        " and coalesce(proconfig, '{}') && array['search_path=pg_catalog, pg_temp'] is not true",
        [stage.schema],
    ).fetchall()
    assert found == []


def test_views_are_their_reader_s_but_the_one_that_looks_at_labels(stage: Stage) -> None:
    found = stage.admin.execute(
        "select relname::text from pg_class where relnamespace = any(%s::regnamespace[]) and relkind in ('v', 'm')"
        " and 'security_invoker=true' <> all (coalesce(reloptions, '{}'))",
        [[stage.schema, stage.schema.replace("stage", "chat")]],
    ).fetchall()
    assert found == [("contents",)]


@pytest.mark.parametrize("persona", OUTSIDERS)
def test_no_function_tells_or_gives_an_outsider_anything(stage: Stage, persona: str) -> None:
    before = stage.rows()
    with stage.connection(persona) as conn:
        for name, call, values in calls(stage, persona):
            if (persona, name) == ("bound auditor", "break_glass"):
                continue  # what that gives them is in the audit
            told = ""
            with contextlib.suppress(psycopg.Error), conn.transaction():
                told = str(conn.execute(call, values).fetchall())
            assert SECRET not in told, name
            assert stage.role("table") not in told or name == "labels_of", name
        conn.commit()
    assert stage.rows() == before


def calls(stage: Stage, persona: str) -> list[tuple[str, sql.Composed, list[Any]]]:
    """Return a call of every function with what names the owner's thread, by the names of its parameters."""
    [(thread,)] = stage.admin.execute(
        sql.SQL("select id from {} where thread_id = %s").format(stage.at("threads")), [stage.thread_id]
    ).fetchall()
    checkpoint = stage.latest(stage.thread_id)
    known = {
        # The runtime role binds whom it has authenticated; anybody else may say what they like.
        "p_principal": stage.role(persona.split()[-1] if "bound" in persona else "owner"),
        "p_owner": stage.role("owner"),
        **dict.fromkeys(("p_thread_id", "source"), stage.thread_id),
        **dict.fromkeys(("p_grantee", "p_to", "target"), stage.role("stranger")),
        **dict.fromkeys(("thread", "known_id", "lease_id", "p_thread", "held_of"), thread),
        **dict.fromkeys(("p_checkpoint_id", "p_at", "inherit_from"), checkpoint),
        "p_ns": "",
        "inherit_ns": "",
        "p_role": "editor",
        "p_rating": "up",
        "p_comment": None,
        "p_sealed_comment": None,
        "p_is_group": False,
        "to_edit": False,
        "p_reason": "x",
        "seconds": 60,
        "maker": "x",
        "p_holder": "x",
        "lease": 0,
        "dead": 0,
        "relations": [stage.table()],
    }
    plain = {"integer": 1, "bigint": 1, "boolean": True, "text": "x", "bytea": b"x", "jsonb": "{}", "interval": "1 day"}
    functions = stage.admin.execute(
        "select p.proname::text, coalesce(p.proargnames[:p.pronargs], '{}'), array(select format_type(t, null)"
        " from unnest(p.proargtypes) t) from pg_proc p"
        " where pronamespace = %s::regnamespace and prorettype <> 'trigger'::regtype",
        [stage.schema],
    ).fetchall()
    found = []
    for name, names, types in functions:
        given = [known.get(each, plain.get(kind, "{}")) for each, kind in zip(names, types, strict=True)]
        marks = sql.SQL(", ").join(
            sql.SQL("{} %s::{}").format(sql.SQL("variadic" if name == "uuid_of" else ""), sql.SQL(kind))
            for kind in types
        )
        found.append((name, sql.SQL("select * from {}({})").format(stage.at(name), marks), given))
    return found
