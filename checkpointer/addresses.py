"""Read a LangGraph config: which thread, namespace and checkpoint it names. It never names an identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkpointer.errors import ThreadIdError
from checkpointer.principal import MAX_NAME, storable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

# An index entry holds about 2.7 kB; the owner's name needs its share.
_MAX_BYTES = 1000
# The key of a config that names another's thread.
OWNER = "thread_owner"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a thread: the thread's row, and the fencing number."""

    thread: int
    number: int


@dataclass(slots=True)
class Incarnation:
    """The thread that a run goes on in: its row, once the run has read or stored something.

    A thread that is deleted and begun anew is another row, so this tells a late write from a new conversation.
    """

    thread: int | None = None

    def learn(self, thread: int) -> None:
        """Take the thread that was met first."""
        if self.thread is None:
            self.thread = thread


@dataclass(frozen=True, slots=True)
class Address:
    """Where a checkpoint is, and who asks for it. `ns` is None where a listing spans all namespaces."""

    reader: str
    owner: str
    thread_id: str
    ns: str | None
    checkpoint_id: str | None
    lease: Lease | None = None
    """The lease that writes carry."""
    incarnation: Incarnation | None = None
    """What the run knows of its thread; None outside of a run."""

    @property
    def thread(self) -> tuple[str, str]:
        """Owner and thread id."""
        return self.owner, self.thread_id

    @property
    def memo(self) -> tuple[str, ...]:
        """Under what a process remembers the thread: what one reader saw is nothing to another."""
        return memo_key(self.reader, self.owner, self.thread_id)

    def within(self, lease: Lease | None, incarnation: Incarnation | None) -> Address:
        """Return the address within a run."""
        return Address(self.reader, self.owner, self.thread_id, self.ns, self.checkpoint_id, lease, incarnation)

    def config(self, checkpoint_id: str, ns: str | None = None) -> RunnableConfig:
        """Return the config that names a checkpoint of this thread."""
        return checkpoint_config(self.thread_id, (self.ns or "") if ns is None else ns, checkpoint_id, self.foreign)

    @property
    def foreign(self) -> str | None:
        """The owner, where that is somebody else."""
        return None if self.owner == self.reader else self.owner


def address(config: RunnableConfig, reader: str) -> Address:
    """Read the address from `config["configurable"]`.

    The thread is the reader's own, unless `thread_owner` names somebody else. That is an address: whether the reader
    gets to see the thread is for the database to say.

    Raises:
        ThreadIdError: There is no thread id, or it or the owner cannot be stored.
    """
    configurable: dict[str, Any] = config.get("configurable") or {}
    if "thread_id" not in configurable:
        msg = 'The config names no thread. Pass {"configurable": {"thread_id": "..."}}.'
        raise ThreadIdError(msg)
    ns = configurable.get("checkpoint_ns")
    checkpoint_id = configurable.get("checkpoint_id") or None
    return Address(
        reader,
        valid_owner(configurable.get(OWNER)) or reader,
        valid_thread_id(configurable["thread_id"]),
        None if ns is None else str(ns),
        None if checkpoint_id is None else str(checkpoint_id),
    )


def valid_owner(owner: object) -> str | None:
    """Return the owner of a thread as text; None where none is named.

    Raises:
        ThreadIdError: It is longer than any principal's, or holds NUL or a lone surrogate.
    """
    text = "" if owner is None else str(owner)
    if len(text) > MAX_NAME:
        msg = f"An owner's name has at most {MAX_NAME} characters."
        raise ThreadIdError(msg)
    if not storable(text):
        msg = "An owner's name holds no NUL character and no lone surrogate."
        raise ThreadIdError(msg)
    return text or None


def valid_thread_id(thread_id: object) -> str:
    """Return the thread id as text.

    Raises:
        ThreadIdError: It is empty, longer than 1,000 bytes, or holds NUL or a lone surrogate.
    """
    text = "" if thread_id is None else str(thread_id)
    if not text:
        msg = "The thread id is empty. Choose any text of at most 1,000 bytes."
        raise ThreadIdError(msg)
    if not storable(text):
        msg = "A thread id holds no NUL character and no lone surrogate. Choose another."
        raise ThreadIdError(msg)
    if len(text.encode()) > _MAX_BYTES:
        msg = f"A thread id has at most {_MAX_BYTES:,} bytes; this one has {len(text.encode()):,}."
        raise ThreadIdError(msg)
    return text


def memo_key(reader: str, owner: str, thread_id: str) -> tuple[str, ...]:
    """Return under what a process remembers a thread."""
    return (owner, thread_id) if reader == owner else (owner, thread_id, reader)


def checkpoint_config(thread_id: str, ns: str, checkpoint_id: str, foreign: str | None = None) -> RunnableConfig:
    """Return the config that names one checkpoint, of somebody else's thread where an owner is given."""
    named = {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}
    return {"configurable": named if foreign is None else {**named, OWNER: foreign}}
