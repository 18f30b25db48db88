"""Threads in the tables of LangGraph's own `PostgresSaver`.

What stands in a checkpoint or a write is read by upstream's saver itself. It has no call for which threads there are,
nor for a write's number and task path; those are read from its tables beside it.
"""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import ormsgpack
import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from checkpointer.addresses import checkpoint_config
from checkpointer.errors import BlockedTypeError, SourceError, UnrebuildableError
from checkpointer.outline import Envelope, Outline, Place
from checkpointer.serializer import strict_load, strict_serializer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.checkpoint.serde.base import SerializerProtocol
    from psycopg import Cursor
    from psycopg.rows import DictRow

_THREADS = "select thread_id from checkpoints group by thread_id order by max(checkpoint_id), thread_id"
_CHECKPOINTS = """
select checkpoint_ns, checkpoint_id, parent_checkpoint_id, metadata from checkpoints
where thread_id = %s order by checkpoint_id, checkpoint_ns
"""
# Writes of a checkpoint that never came cannot be read through the saver, and nothing would ever take them up.
_WRITES = """
select checkpoint_ns, checkpoint_id, task_path, task_id, idx, channel from checkpoint_writes w
where thread_id = %s and exists (
  select from checkpoints c
  where c.thread_id = w.thread_id and c.checkpoint_ns = w.checkpoint_ns and c.checkpoint_id = w.checkpoint_id
)
"""


class UpstreamThread(NamedTuple):
    """A thread's outline, and the metadata of its checkpoints."""

    outline: Outline
    metadata: list[dict[str, Any]]


class Upstream:
    """Upstream's tables. Nothing is changed in them."""

    def __init__(self, saver: PostgresSaver) -> None:
        self._saver = copy.copy(saver)
        self._saver.serde = _StrictReader(saver.serde)

    def thread_ids(self) -> list[str]:
        """Return all threads, the one used last at the end."""
        with self._cursor() as cur:
            return [row["thread_id"] for row in cur.execute(_THREADS).fetchall()]

    def thread(self, thread_id: str) -> UpstreamThread:
        """Return what a thread is made of."""
        with self._cursor() as cur:
            rows = cur.execute(_CHECKPOINTS, [thread_id]).fetchall()
            writes = cur.execute(_WRITES, [thread_id]).fetchall()
        pending: dict[Place, list[Envelope]] = {}
        for ns, checkpoint_id, *envelope in (row.values() for row in writes):
            pending.setdefault((ns, checkpoint_id), []).append(Envelope(*envelope))
        for envelopes in pending.values():
            envelopes.sort()
        places = {(row["checkpoint_ns"], row["checkpoint_id"]): row["parent_checkpoint_id"] or None for row in rows}
        return UpstreamThread(Outline(places, pending), [row["metadata"] for row in rows])

    def read(self, thread_id: str, place: Place) -> CheckpointTuple | None:
        """Return a checkpoint with its pending writes, in the order of their envelopes.

        Raises:
            BlockedTypeError: It holds a type that is not allowed.
            UnrebuildableError: It holds a value that cannot be made again.
        """
        with _explained():
            return self._saver.get_tuple(checkpoint_config(thread_id, *place))

    @contextmanager
    def _cursor(self) -> Iterator[Cursor[DictRow]]:
        with _explained(), self._saver._cursor() as cur:
            yield cur


@contextmanager
def upstream_saver(dsn: str, schema: str | None = None, allowed_types: Iterable[type] = ()) -> Iterator[PostgresSaver]:
    """Open LangGraph's saver for reading only, on the tables in `schema`; types outside of the allow-list stay shut.

    Raises:
        SourceError: The database cannot be reached.
    """
    try:
        options = [str(conninfo_to_dict(dsn).get("options") or ""), "-c default_transaction_read_only=on"]
        if schema is not None:
            quoted = sql.Identifier(schema).as_string(None)
            options.append("-c search_path=" + "".join(f"\\{c}" if c in " \\" else c for c in quoted))
        conn = psycopg.connect(
            make_conninfo(dsn, options=" ".join(filter(None, options)), application_name="mooring import"),
            autocommit=True,
            prepare_threshold=None,
            row_factory=dict_row,
        )
    except psycopg.ProgrammingError:
        msg = "That is no address of a database. Write it as postgresql://user@host:5432/database."
        raise SourceError(msg) from None
    except psycopg.OperationalError as error:
        msg = "The database to import from cannot be reached. Look at its address, its password and whether it runs."
        raise SourceError(msg) from error
    with conn:
        yield PostgresSaver(conn, serde=strict_serializer(allowed_types))


class _StrictReader:
    """Reads with another serializer, and refuses where that would hand back raw data in place of a value."""

    def __init__(self, inner: SerializerProtocol) -> None:
        self._inner = inner

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return self._inner.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        try:
            value = strict_load(self._inner, data)
        except NotImplementedError as error:
            raise UnrebuildableError((f"a value serialised as {data[0]}",)) from error
        if isinstance(self._inner, JsonPlusSerializer):
            _check_rebuilt(self._inner, data, value)
        return value


def _check_rebuilt(serde: JsonPlusSerializer, data: tuple[str, bytes], value: object) -> None:
    if data[0] == "json":
        if raw := sorted(set(_raw_constructors(value))):
            raise BlockedTypeError(tuple(raw))
    # A class that is not installed, or refuses its own arguments, comes back as those arguments.
    elif lost := _types_in(data) - _types_in(serde.dumps_typed(value)):
        raise UnrebuildableError(tuple(sorted(lost)))


def _types_in(data: tuple[str, bytes]) -> Counter[str]:
    """Count the types that msgpack names in its extensions, however deep."""
    found: Counter[str] = Counter()
    kind, body = data

    def note(_: int, inner: bytes) -> None:
        parts = ormsgpack.unpackb(inner, ext_hook=note, option=ormsgpack.OPT_NON_STR_KEYS)
        if isinstance(parts, list | tuple) and len(parts) > 2 and isinstance(parts[1], str):
            found[f"{parts[0]}.{parts[1]}"] += 1

    if kind == "msgpack":
        ormsgpack.unpackb(body, ext_hook=note, option=ormsgpack.OPT_NON_STR_KEYS)
    return found


def _raw_constructors(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("lc") in (1, 2) and value.get("type") == "constructor":
            yield ".".join(map(str, value.get("id") or ()))
        yield from (name for inner in value.values() for name in _raw_constructors(inner))
    elif isinstance(value, list):
        yield from (name for inner in value for name in _raw_constructors(inner))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        msg = "There are no tables of LangGraph's PostgresSaver. Name the schema that they are in."
        raise SourceError(msg) from error
    except psycopg.errors.UndefinedColumn as error:
        msg = "The tables are of an older release of langgraph-checkpoint-postgres. Run its `setup()` on them once."
        raise SourceError(msg) from error
    except psycopg.errors.InsufficientPrivilege as error:
        msg = "The login may not read the tables of LangGraph's PostgresSaver. Grant it SELECT on them."
        raise SourceError(msg) from error
    except psycopg.OperationalError as error:
        msg = "The database to import from went away. Run the import again: it goes on where it stopped."
        raise SourceError(msg) from error
