"""What the owner of the schema does for everybody: legal holds, pruning by policy, erasing a person, and encrypting.

    from checkpointer import administration

    with administration.connect(admin_dsn) as admin:
        admin.hold("alice@example.com", "t1", reason="case 2026-113")
        for pruned in admin.prune(Retention(ttl=timedelta(days=90))):
            print(pruned)

A thread under legal hold may be gone on with. Nothing of it is deleted or changed, by nobody: the database refuses its
owner, the runtime role, a pruning administrator and a superuser alike, until an administrator lifts the hold.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from checkpointer import erasure
from checkpointer.errors import (
    NotAdministratorError,
    SchemaError,
    ThreadNotFoundError,
    ThreadNotHeldError,
)
from checkpointer.migrations import COMMAND, connected
from checkpointer.operations import Operation, Row, Statement, explained
from checkpointer.policy import FOREVER
from checkpointer.queries import queries
from checkpointer.resealing import Resealing
from checkpointer.retention import Expiry
from checkpointer.texts import REFUSED, refused_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from checkpointer.encryption import Keyring
    from checkpointer.erasure import Erased
    from checkpointer.policy import Retention
    from checkpointer.resealing import Resealed
    from checkpointer.retention import Expired

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold of one thread. `placed_at` carries a time zone, `placed_by` is a role."""

    owner: str
    thread_id: str
    reason: str
    placed_at: datetime
    placed_by: str


class Administrator:
    """The schema's owner, connected. Each call is one transaction or more, and none of them is long."""

    def __init__(self, conn: psycopg.Connection[Any], schema: str) -> None:
        self._conn = conn
        self._queries = queries(schema)

    def hold(self, owner: str, thread_id: str, *, reason: str) -> Hold:
        """Place a thread under legal hold; one that is held already gets the new reason.

        Raises:
            ThreadNotFoundError: That owner has no such thread, or nothing in it.
        """
        params = {"owner": owner, "thread_id": thread_id, "reason": reason}
        [rows] = self._drive(_statement("hold", params))
        if not rows:
            raise ThreadNotFoundError(thread_id, owner)
        return Hold(*rows[0])

    def release(self, owner: str, thread_id: str) -> Hold:
        """Lift the hold of a thread and return what it was.

        Raises:
            ThreadNotHeldError: That owner has no such thread under hold.
        """
        [rows] = self._drive(_statement("release", {"owner": owner, "thread_id": thread_id}))
        if not rows:
            raise ThreadNotHeldError(thread_id, owner)
        return Hold(*rows[0])

    def holds(self) -> list[Hold]:
        """Return every hold there is, by owner and age."""
        [rows] = self._drive(_statement("holds", {}))
        return [Hold(*row) for row in rows]

    def prune(self, default: Retention = FOREVER, *, dry_run: bool = False) -> Iterator[Expired]:
        """Delete what the policies say of everybody's threads; yield what went and what was blocked, as it goes.

        Threads are pruned in transactions of a few dozen, so nobody waits long, and a pass that is stopped is simply
        begun again.

        Args:
            default: The policy for threads that have none of their own.
            dry_run: Only say what would go.
        """
        expiry = Expiry(None, default, dry_run=dry_run)
        while not expiry.done:
            yield from self._drive(expiry.page())

    def erase(self, owner: str, *, dry_run: bool = False, except_held: bool = False) -> Erased:
        """Delete everything of a person: their threads in all namespaces, pending writes, and labels only theirs.

        Whatever they run meanwhile ends with `ThreadDeletedError`. One stopped half-way is simply begun again.

        Args:
            dry_run: Only say what would go.
            except_held: Leave their threads under legal hold and erase the others.

        Raises:
            ErasureHeldError: Some are held, and are not to be left. Nothing was erased.
            ThreadHeldError: The same, of a hold that was placed meanwhile.
        """
        return self._drive(erasure.erase(owner, dry_run=dry_run, except_held=except_held))

    def encrypt(self, ring: Keyring, *, owner: str | None = None, dry_run: bool = False) -> Iterator[Resealed]:
        """Encrypt under the newest key what threads hold in the clear or under an older one; yield as it goes.

        Threads may be used meanwhile. One stopped half-way is simply begun again. A thread under legal hold stays as it
        is, and so does one that holds something which cannot be decrypted.

        Args:
            ring: The key to encrypt under first, and every other that something is encrypted under.
            owner: Only this person's threads; without, everybody's.
            dry_run: Only say what would be encrypted.
        """
        return Resealing(self._conn, self._queries, ring).threads(owner, dry_run=dry_run)

    def _drive(self, operation: Operation[T]) -> T:
        operation = explained(operation)
        try:
            statements = next(operation)
            while True:
                try:
                    results = self._trip(statements)
                except psycopg.IntegrityError as error:
                    statements = operation.throw(error)
                except REFUSED as error:
                    raise refused_text(error, statements) or error from None
                else:
                    statements = operation.send(results)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _trip(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements in one pipeline, which is one transaction."""
        plan = [Statement("administer", {}), *statements]
        with self._conn.pipeline(), self._conn.transaction():
            cursors = [self._conn.execute(self._queries[s.name], s.params, binary=True) for s in plan]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors[1:]]


@contextmanager
def connect(admin_dsn: str, *, schema: str = "mooring") -> Iterator[Administrator]:
    """Connect as the owner of the schema, or as a superuser.

    Args:
        admin_dsn: How to connect; what `GovernedPostgresSaver.migrate` was given.
        schema: Where `migrate` put the tables.

    Raises:
        SchemaError: The schema is missing or older than this code.
        NotAdministratorError: The role is not the schema's owner.
        DatabaseUnavailableError: Nobody can log in like this.
    """
    with connected(admin_dsn, "mooring admin") as conn:
        check = queries(schema)["check_administrator"]
        row = conn.execute(check, {"schema": schema}).fetchone()
        if row is None:
            msg = f"The database has no schema {schema!r} with legal holds. Run `{COMMAND}`."
            raise SchemaError(msg)
        role, administers = row
        if not administers:
            raise NotAdministratorError(role)
        yield Administrator(conn, schema)


def _statement(name: str, params: dict[str, Any]) -> Operation[list[list[Row]]]:
    return (yield [Statement(name, params)])
