"""The sample lakehouse: tables, rows, comments and who may read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from agent.local import bakehouse, hr

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from agent.local.dice import Row

SQL = Path(__file__).with_name("sql")


def load(conn: psycopg.Connection) -> None:
    """Create and fill the schemas bakehouse and hr, whole or not at all; one that is there is left as it is.

    The connection is a superuser's.
    """
    with conn.transaction():
        if conn.execute("select to_regnamespace('bakehouse'), to_regnamespace('hr')").fetchone() != (None, None):
            return
        conn.execute("grant create on database lakehouse to lakehouse_owner")
        conn.execute("set local role lakehouse_owner")
        conn.execute((SQL / "bakehouse.sql").read_bytes())
        conn.execute((SQL / "hr.sql").read_bytes())
        for table, rows in tables().items():
            _copy(conn, table, rows)
        conn.execute((SQL / "access.sql").read_bytes())
        conn.execute("reset role")
        conn.execute("revoke create on database lakehouse from lakehouse_owner")
    conn.execute("analyze")


def tables() -> dict[str, Iterable[Row]]:
    """Generate the rows of every table, parents first; the same on every machine."""
    suppliers = bakehouse.suppliers()
    franchises = bakehouse.franchises(suppliers)
    employees = hr.employees()
    return {
        "bakehouse.suppliers": suppliers,
        "bakehouse.franchises": franchises,
        "bakehouse.transactions": bakehouse.transactions(franchises),
        "bakehouse.reviews": bakehouse.reviews(franchises),
        "hr.employees": employees,
        "hr.salaries": hr.salaries(employees),
    }


def _copy(conn: psycopg.Connection, table: str, rows: Iterable[Row]) -> None:
    statement = sql.SQL("copy {} from stdin").format(sql.Identifier(*table.split(".")))
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
