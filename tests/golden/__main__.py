"""Write `sessions.jsonl` with the saver that is imported: `PYTHONPATH=<an earlier release> python -m tests.golden`."""

from __future__ import annotations

from pathlib import Path

import psycopg

from agent.database import open_database
from agent.settings import Settings
from checkpointer import GovernedPostgresSaver
from tests.golden.sessions import KEYS, dump, store

_SCHEMA = "golden"


def main() -> None:
    """Store the sessions in a schema of their own, and write what its tables hold then."""
    with open_database(Settings()) as database:
        assert database.admin is not None
        assert database.superuser is not None
        with psycopg.connect(database.superuser, autocommit=True) as admin:
            admin.execute(f"drop schema if exists {_SCHEMA} cascade".encode())
            GovernedPostgresSaver.migrate(database.admin, runtime_role="mooring_service", schema=_SCHEMA)
            for mark, keys in (("clear", None), ("sealed", KEYS)):
                with GovernedPostgresSaver(database.runtime, schema=_SCHEMA, encryption=keys) as saver:
                    store(saver, mark)
            Path(__file__).with_name("sessions.jsonl").write_text(dump(admin, _SCHEMA), "ascii")
            admin.execute(f"drop schema {_SCHEMA} cascade".encode())


main()
