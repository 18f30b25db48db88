"""The stand-in's SQL warehouse: Databricks SQL, translated and run on Postgres as the token's user."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import sqlglot
from psycopg.types.string import TextLoader

from tests.databricks.dialect import NotDatabricksError, for_postgres
from tests.databricks.workspace import RefusedError

if TYPE_CHECKING:
    from tests.databricks.workspace import Call, Workspace

WAREHOUSE = "stand-in"
_TYPES = {
    "int2": ("SHORT", "SMALLINT"),
    "int4": ("INT", "INT"),
    "int8": ("LONG", "BIGINT"),
    "numeric": ("DECIMAL", "DECIMAL(38,18)"),
    "float4": ("FLOAT", "FLOAT"),
    "float8": ("DOUBLE", "DOUBLE"),
    "bool": ("BOOLEAN", "BOOLEAN"),
    "date": ("DATE", "DATE"),
    "timestamptz": ("TIMESTAMP", "TIMESTAMP"),
    "bytea": ("BINARY", "BINARY"),
}
# Postgres' SQLSTATEs, and what Databricks says and answers instead.
_CONDITIONS = {
    "42P01": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    "42703": ("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"),
    "42501": ("INSUFFICIENT_PERMISSIONS", "42501"),
    "42803": ("MISSING_AGGREGATION", "42803"),
    "22012": ("DIVIDE_BY_ZERO", "22012"),
    "22P02": ("CAST_INVALID_INPUT", "22018"),
}

Column = tuple[str, str, str]
Rows = list[list[str | None]]


@dataclass
class Statement:
    """One statement: what was asked, and what came of it."""

    id: str
    user: str
    body: dict[str, Any]
    state: str = "PENDING"
    error: dict[str, str] | None = None
    sql_state: str | None = None
    columns: list[Column] = field(default_factory=list)
    rows: Rows = field(default_factory=list)
    truncated: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    conn: psycopg.Connection[Any] | None = None


class Warehouse:
    """Adds its routes to a workspace."""

    def __init__(self, workspace: Workspace, login: Callable[[str], str]) -> None:
        self.statements: dict[str, Statement] = {}
        self.chunk_rows = 1000
        self.started = threading.Event()
        """Statements are PENDING until it is set."""
        self.started.set()
        self.going = threading.Event()
        """Statements are RUNNING until it is set."""
        self.going.set()
        self.answers: dict[str, tuple[list[Column], Rows]] = {}
        """Results by their SQL, for types that Postgres lacks."""
        self.failures: dict[str, tuple[dict[str, str], str | None]] = {}
        """Errors by the SQL that fails with them."""
        self._login = login
        workspace.route("POST", "/api/2.0/sql/statements", self._execute)
        workspace.route("GET", "/api/2.0/sql/statements/{}", lambda call: self.shown(self._found(call)))
        workspace.route("GET", "/api/2.0/sql/statements/{}/result/chunks/{}", self._chunk)
        workspace.route("POST", "/api/2.0/sql/statements/{}/cancel", self._cancel)

    def _execute(self, call: Call) -> Any:
        body = call.request.body
        if body["warehouse_id"] != WAREHOUSE:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {body['warehouse_id']} does not exist.")
        if any(len(part) > 128 for tag in body.get("query_tags", []) for part in tag.values()):
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", "A query tag has at most 128 characters.")
        statement = self.begin(call.user.name, body)
        wait = float(body.get("wait_timeout", "10s").removesuffix("s"))
        assert wait == 0 or 5 <= wait <= 50
        statement.done.wait(wait)
        return self.shown(statement)

    def begin(self, user: str, body: dict[str, Any]) -> Statement:
        """Begin a statement of a user's."""
        statement = Statement(str(uuid4()), user, body)
        self.statements[statement.id] = statement
        threading.Thread(target=self._run, args=[statement], daemon=True).start()
        return statement

    def _run(self, statement: Statement) -> None:
        self.started.wait(30)
        if statement.state == "PENDING":
            statement.state = "RUNNING"
        self.going.wait(30)
        try:
            if statement.state == "RUNNING":
                self._compute(statement)
        except psycopg.Error as error:
            state = error.sqlstate or ""
            condition, shown = _CONDITIONS.get(state, ("INTERNAL_ERROR", "XX000"))
            message = f"[{condition}] {error.diag.message_primary}. SQLSTATE: {shown}"
            self._failed(statement, {"error_code": "BAD_REQUEST", "message": message}, shown)
        except sqlglot.errors.SqlglotError as error:
            self._failed(statement, {"error_code": "BAD_REQUEST", "message": f"[PARSE_SYNTAX_ERROR] {error}"}, "42601")
        except NotDatabricksError as error:
            self._failed(statement, {"error_code": "BAD_REQUEST", "message": f"{error} SQLSTATE: 42601"}, "42601")
        else:
            if statement.state == "RUNNING":
                statement.state = "SUCCEEDED"
        statement.done.set()

    def _failed(self, statement: Statement, error: dict[str, str], sql_state: str | None) -> None:
        if statement.state != "CANCELED":
            statement.state, statement.error, statement.sql_state = "FAILED", error, sql_state

    def _compute(self, statement: Statement) -> None:
        text = statement.body["statement"]
        most = statement.body.get("row_limit", 10_000)
        if text in self.failures:
            self._failed(statement, *self.failures[text])
            return
        if text in self.answers:
            statement.columns, rows = self.answers[text]
        else:
            postgres, hidden = for_postgres(text, statement.body.get("parameters", []))
            with psycopg.connect(self._login(statement.user)) as conn:
                statement.conn = conn
                for name in ("timestamptz", "date", "numeric", "interval"):
                    conn.adapters.register_loader(name, TextLoader)
                conn.execute("set transaction read only")
                cursor = conn.execute(postgres.encode())
                columns = [(c.name, *_type(conn, c.type_code)) for c in cursor.description or ()]
                shown = [i for i, (name, _, _) in enumerate(columns) if name not in hidden]
                statement.columns = [columns[i] for i in shown]
                rows = [[_text(row[i]) for i in shown] for row in cursor.fetchmany(most + 1)]
        statement.truncated = len(rows) > most
        statement.rows = rows[:most]

    def _found(self, call: Call) -> Statement:
        statement = self.statements.get(call.parts[0])
        if statement is None or statement.user != call.user.name:
            raise RefusedError(404, "NOT_FOUND", "The statement was not found.")
        return statement

    def shown(self, statement: Statement) -> Any:
        """What is told of a statement."""
        status: dict[str, Any] = {"state": statement.state}
        shown: dict[str, Any] = {"statement_id": statement.id, "status": status}
        if statement.error:
            status |= {"error": statement.error, "sql_state": statement.sql_state}
        if statement.state == "SUCCEEDED":
            columns = [
                {"name": name, "position": i, "type_name": kind, "type_text": text}
                for i, (name, kind, text) in enumerate(statement.columns)
            ]
            shown["manifest"] = {
                "format": "JSON_ARRAY",
                "schema": {"column_count": len(columns), "columns": columns},
                "total_row_count": len(statement.rows),
                "total_chunk_count": -(-len(statement.rows) // self.chunk_rows),
                "truncated": statement.truncated,
            }
            shown["result"] = self._part(statement, 0)
        return shown

    def _chunk(self, call: Call) -> Any:
        return self._part(self._found(call), int(call.parts[1]))

    def _part(self, statement: Statement, index: int) -> Any:
        start = index * self.chunk_rows
        rows = statement.rows[start : start + self.chunk_rows]
        part = {"chunk_index": index, "row_offset": start, "row_count": len(rows), "data_array": rows}
        if start + self.chunk_rows < len(statement.rows):
            part["next_chunk_index"] = index + 1
        return part

    def _cancel(self, call: Call) -> Any:
        statement = self._found(call)
        if statement.state in ("PENDING", "RUNNING"):
            statement.state = "CANCELED"
            if statement.conn is not None and not statement.conn.closed:
                statement.conn.cancel_safe()
        return {}

    def wait_for(self, state: str) -> Statement:
        """Wait until a statement is in a state."""
        end = time.monotonic() + 10
        while True:
            for statement in list(self.statements.values()):
                if statement.state == state:
                    return statement
            assert time.monotonic() < end
            time.sleep(0.005)


def _type(conn: psycopg.Connection[Any], oid: int) -> tuple[str, str]:
    info = conn.adapters.types.get(oid)
    name = info.name if info else "text"
    if info and info.array_oid == oid:
        return "ARRAY", f"ARRAY<{_TYPES.get(name, ('', 'STRING'))[1]}>"
    return _TYPES.get(name, ("STRING", "STRING"))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return "[" + ",".join("null" if v is None else f'"{_text(v)}"' for v in value) + "]"
    return re.sub(r" (\d\d:\d\d:\d\d(?:\.\d+)?)\+00$", r"T\1Z", str(value))
