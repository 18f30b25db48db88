"""A database that does not let somebody in: the line says what is wrong, and which setting mends it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from agent.database import Database

pytestmark = pytest.mark.embedded

WRONG = "s3cret"
ASK = ("ask", "hello", "--as", "alice")
MIGRATE = ("db", "migrate")
HOLDS = ("db", "holds")
EVERYBODYS: list[tuple[dict[str, Any], str, str]] = [
    ({"port": 1}, "The database server cannot be reached at 127.0.0.1:1: ", "mend the host and port in {}"),
    (
        {"host": "nowhere.invalid", "hostaddr": ""},
        "The host of the database server cannot be found: ",
        "the host in {}",
    ),
    ({"dbname": "nowhere"}, "There is no database 'nowhere' at 127.0.0.1:", "mend the database in {}"),
    ({"sslmode": "require"}, "do not agree about TLS: ", "mend sslmode or sslrootcert in {}"),
]
A_ROLE_S: list[tuple[dict[str, Any], str, str]] = [
    ({"password": WRONG}, "refused the password of 'mooring_", "mend the user or the password in {}"),
    (
        {"user": "nobody_here", "password": WRONG},
        "the password of 'nobody_here': ",
        "mend the user or the password in {}",
    ),
    ({"passfile": "/nowhere"}, "There is no password for 'mooring_", "mend the user or the password in {}"),
]


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the program with settings; return the one line on stderr of a failure."""

    def run(*args: str, **env: str) -> str:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["mooring", *args])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        assert (end.value.code, out) == (1, "")
        [told] = err.splitlines()
        assert WRONG not in told
        assert "passfile" not in told
        return str(told)

    return run


@pytest.fixture
def full(admin: psycopg.Connection) -> Iterator[str]:
    """A role that may have no connections."""
    name = f"full-{uuid4()}"
    admin.execute(f"create role \"{name}\" login password 'p' connection limit 0".encode())
    yield name
    admin.execute(f'drop role "{name}"'.encode())


@pytest.mark.parametrize(("change", "says", "remedy"), [*EVERYBODYS, *A_ROLE_S])
def test_the_runtime_role(
    lakehouse: Database, line: Callable[..., str], change: dict[str, Any], says: str, remedy: str
) -> None:
    told = line(*ASK, MOORING_DATABASE_URL=make_conninfo(lakehouse.runtime, **change))
    if "passfile" in change:  # which is the caller's as well
        assert "There is no password for 'alice'" in told
        return
    assert says in told
    assert remedy.format("MOORING_DATABASE_URL") in told


@pytest.mark.parametrize("command", [MIGRATE, HOLDS])
@pytest.mark.parametrize(("change", "says", "remedy"), [*EVERYBODYS, *A_ROLE_S])
def test_the_migrator(
    lakehouse: Database,
    line: Callable[..., str],
    command: tuple[str, ...],
    change: dict[str, Any],
    says: str,
    remedy: str,
) -> None:
    assert lakehouse.admin is not None
    admin_url = make_conninfo(lakehouse.admin, **change)
    told = line(*command, MOORING_DATABASE_URL=lakehouse.runtime, MOORING_ADMIN_URL=admin_url)
    assert says in told
    assert remedy.format("MOORING_ADMIN_URL") in told


@pytest.mark.parametrize(
    ("person", "says"), [("alice", "refused the password of 'alice'"), ("bob", "There is no password for 'bob'")]
)
def test_a_caller(lakehouse: Database, line: Callable[..., str], tmp_path: Path, person: str, says: str) -> None:
    known = Path(str(conninfo_to_dict(lakehouse.runtime)["passfile"])).read_text().splitlines()
    passfile = tmp_path / "passfile"
    passfile.write_text("\n".join([*(entry for entry in known if ":mooring_" in entry), f"*:*:*:alice:{WRONG}", ""]))
    passfile.chmod(0o600)

    told = line(
        "ask", "hello", "--as", person, MOORING_DATABASE_URL=make_conninfo(lakehouse.runtime, passfile=str(passfile))
    )

    assert f"Cannot log in to the database as {person!r}" in told
    assert says in told
    assert "keep the password in ~/.pgpass or a service file" in told


def test_no_connection_left(lakehouse: Database, line: Callable[..., str], full: str) -> None:
    assert lakehouse.admin is not None
    admin_url = make_conninfo(lakehouse.admin, user=full, password="p")
    told = line(*MIGRATE, MOORING_DATABASE_URL=lakehouse.runtime, MOORING_ADMIN_URL=admin_url)
    assert f"has no connection left for '{full}': try again in a moment" in told


def test_the_pg_variables_are_named(lakehouse: Database, line: Callable[..., str]) -> None:
    parts = conninfo_to_dict(lakehouse.runtime)
    told = line(*ASK, PGHOST="127.0.0.1", PGPORT="1", PGDATABASE=str(parts["dbname"]), PGUSER="mooring_service")
    assert "mend the host and port in the PG* variables" in told


def test_a_migrator_that_may_not_migrate(lakehouse: Database, line: Callable[..., str]) -> None:
    alice = lakehouse.login("alice")
    told = line(*MIGRATE, MOORING_DATABASE_URL=lakehouse.runtime, MOORING_ADMIN_URL=alice, MOORING_SCHEMA="elsewhere")
    assert "Role 'alice' may not migrate (permission denied for database lakehouse)" in told
    assert 'GRANT CREATE ON DATABASE "lakehouse" TO "alice"' in told


@pytest.mark.parametrize("url", [f"postgresql://u:{WRONG}/x@127.0.0.1/db", f"postgresql://u:x@{WRONG}@127.0.0.1/db"])
def test_a_password_that_a_url_does_not_escape_is_not_repeated(line: Callable[..., str], url: str) -> None:
    assert "%40 for @ and %2F for /" in line(*ASK, MOORING_DATABASE_URL=url)
    assert "%40 for @ and %2F for /" in line(*MIGRATE, MOORING_DATABASE_URL=url, MOORING_ADMIN_URL=url)


@pytest.fixture
def stranger(admin: psycopg.Connection) -> Iterator[str]:
    """An ordinary role of the server, which has no business with sessions."""
    name = f"stranger-{uuid4()}"
    admin.execute(f"create role \"{name}\" login password 'p'".encode())
    admin.execute(f'grant connect on database lakehouse to "{name}"'.encode())
    yield name
    admin.execute(f'revoke connect on database lakehouse from "{name}"'.encode())
    admin.execute(f'drop role "{name}"'.encode())


def test_somebody_else_than_the_runtime_role(lakehouse: Database, line: Callable[..., str], stranger: str) -> None:
    told = line(*ASK, MOORING_DATABASE_URL=make_conninfo(lakehouse.runtime, user=stranger, password="p"))
    assert f"Role {stranger!r} may not use schema 'mooring'. Connect as the runtime role" in told
    # A person's own login opens it, and reads; it stores nothing.
    told = line(*ASK, MOORING_DATABASE_URL=lakehouse.login("bob"))
    assert "Connect as the runtime role that the schema was migrated with" in told
