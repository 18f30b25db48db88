"""What the drill takes place in: a Postgres, people who log in to it, and figures of which each sees their own."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from agent.server.tokens import issue
from agent.settings import Settings
from tests.integration.foreign import DATABASE, Foreign, foreign_server

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECTIONS = 900
_CARGO = """
create table quay.cargo (cargo_id int, owner text, figure bigint, primary key (cargo_id, owner));
alter table quay.cargo enable row level security;
create policy own on quay.cargo for select using (owner = current_user);
grant select on quay.cargo to crew;
grant usage on schema quay to crew;
"""


@dataclass(frozen=True, slots=True)
class World:
    """The running database, and the environment of whoever uses it."""

    foreign: Foreign
    home: Path
    people: tuple[str, ...]
    cargo: int
    """How many pieces there are of each person's."""

    def figure(self, person: str, cargo: int) -> int:
        """Return the figure that only this person sees."""
        return (self.people.index(person) + 1) * 1_000_000 + cargo

    def token(self, person: str) -> str:
        """Return a person's token."""
        return issue(Settings(home=self.home), person)

    def environment(self) -> dict[str, str]:
        """Return the environment of a replica."""
        return os.environ | {
            "MOORING_HOME": str(self.home),
            "MOORING_DATABASE_URL": self.foreign.url("service"),
            "MOORING_ADMIN_URL": self.foreign.url("migrator"),
            "PGPASSFILE": str(self.home / "passfile"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
        }


@contextmanager
def world(folder: Path, people: int, cargo: int) -> Iterator[World]:
    """Run the database; the schema of sessions is still to be made."""
    names = tuple(f"person{i:02}" for i in range(people))
    with foreign_server(18, f"max_connections={_CONNECTIONS}") as foreign:
        made = World(foreign, folder / "home", names, cargo)
        made.home.mkdir()
        passfile = made.home / "passfile"
        passfile.write_text("".join(f"127.0.0.1:*:*:{name}:{foreign.password}\n" for name in names))
        passfile.chmod(0o600)
        with psycopg.connect(foreign.url("administrator", DATABASE), autocommit=True) as conn:
            for name in names:
                conn.execute(f"create role {name} login password '{foreign.password}' in role crew".encode())
            conn.execute(_CARGO.encode())
            rows = [(number, name, made.figure(name, number)) for name in names for number in range(cargo)]
            conn.cursor().executemany("insert into quay.cargo values (%s, %s, %s)", rows)
        yield made
