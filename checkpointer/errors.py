"""Everything the checkpointer refuses, one class a reason."""

from __future__ import annotations

from collections.abc import Sequence


class CheckpointerError(Exception):
    """Base of every error that the checkpointer raises by itself."""


class NoPrincipalError(CheckpointerError):
    """No principal is bound, so there is nothing that may be read or written."""

    def __init__(self) -> None:
        super().__init__(
            "No principal is bound. Run inside `with acting_as(Principal(name)):` or open the saver with "
            "`principal=`; without one nothing can be read or written."
        )


class PrincipalError(CheckpointerError, ValueError):
    """The principal's name cannot be one."""


class NotBelievedError(CheckpointerError):
    """The database does not take this connection's word for the bound principal."""

    def __init__(self, principal: str) -> None:
        super().__init__(
            f"The database does not believe this connection to act for {principal!r}. Connect as a member of the "
            "runtime role that the schema was migrated with, or log in as that principal."
        )


class NotPermittedError(CheckpointerError):
    """The connection's role has not the privileges of one that stores sessions."""

    def __init__(self) -> None:
        super().__init__(
            "The database does not let this connection do that. Connect as the runtime role that the schema was "
            "migrated with: people's own logins read sessions with SQL."
        )


class ThreadIdError(CheckpointerError, ValueError):
    """The thread id is missing or cannot be stored."""


class ThreadChangingError(CheckpointerError):
    """Something of the thread was deleted again and again while this was to be stored. It was not."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"Something of thread {thread_id!r} was deleted each time that this was to be stored, and nothing was. Try "
            "again when it is not pruned any more."
        )


class ThreadExistsError(CheckpointerError):
    """The target of a copy is there already."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"Thread {thread_id!r} exists already. Copy to another thread id, or delete this one first.")


class ThreadNotFoundError(CheckpointerError):
    """The principal, or the named owner, has no such thread."""

    def __init__(self, thread_id: str, owner: str | None = None) -> None:
        who, listed = ("You have", "; `mooring sessions list` shows yours") if owner is None else (f"{owner!r} has", "")
        super().__init__(f"{who} no thread {thread_id!r}{listed}.")


class ViewerError(CheckpointerError):
    """The thread is shared for reading only, and was to be written to. Nothing was."""

    def __init__(self, thread_id: str, owner: str) -> None:
        super().__init__(
            f"Thread {thread_id!r} of {owner!r} is shared with you as a viewer, so nothing of it was changed. "
            f"{owner!r} can make you an editor; a thread of your own is there for anything else."
        )


class ShareError(CheckpointerError, ValueError):
    """A thread cannot be shared with them, or given to them."""


class NotSharedError(CheckpointerError):
    """There is no share to take back."""

    def __init__(self, thread_id: str, with_: str) -> None:
        super().__init__(
            f"Thread {thread_id!r} is not shared with {with_!r}. `mooring sessions shares` lists with whom it is."
        )


class ThreadBusyError(CheckpointerError):
    """Another run holds the thread's lease."""

    def __init__(self, thread_id: str, seconds: float) -> None:
        super().__init__(
            f"Thread {thread_id!r} is busy with another run. Try again when that is done, or, if it died, in "
            f"{max(1, round(seconds))} s; another thread can be used at once."
        )
        self.seconds = seconds


class StaleLeaseError(CheckpointerError):
    """The run lost its lease: another one took over, or the thread was deleted. Nothing of this write was stored."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"This run no longer holds thread {thread_id!r}: another one took over, or the thread was deleted. What it "
            "stored before is kept; ask again to go on from there."
        )


class ThreadDeletedError(CheckpointerError):
    """A run went on in a thread that is deleted. Nothing of this write was stored, and the thread stays deleted."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"Thread {thread_id!r} was deleted while this run was going, so what the run still writes is not stored. "
            "Ask again without a checkpoint id to start a new conversation."
        )


class WithheldItemGoneError(CheckpointerError):
    """A placeholder was to be stored whose original is not in the thread any more. Nothing was stored."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"Content of thread {thread_id!r} that is withheld was deleted meanwhile. Read the thread again and go on."
        )


class ThreadHeldError(CheckpointerError):
    """A thread under legal hold can be gone on with, and nothing of it be deleted or changed. Nothing was."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"Thread {thread_id!r} is under legal hold: nothing of it may be deleted or changed, and nothing was. An "
            "administrator can lift the hold with `mooring db release`."
        )


class ErasureHeldError(CheckpointerError):
    """Some of a person's threads are under legal hold. Nothing was erased."""

    def __init__(self, owner: str, thread_ids: Sequence[str]) -> None:
        self.thread_ids = tuple(thread_ids)
        super().__init__(
            f"Of {owner!r} these threads are under legal hold: {', '.join(map(repr, thread_ids))}. Nothing was erased. "
            "Lift the holds with `mooring db release`, or erase everything else with --except-held."
        )


class ThreadNotHeldError(CheckpointerError):
    """There is no hold to lift."""

    def __init__(self, thread_id: str, owner: str) -> None:
        super().__init__(f"{owner!r} has no thread {thread_id!r} under legal hold. `mooring db holds` lists them.")


class NotAdministratorError(CheckpointerError):
    """The connection is not the schema's owner's."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"Role {role!r} does not own the sessions' schema, so it neither prunes other people's sessions nor holds "
            "them. Connect as the role that ran `mooring db migrate` (MOORING_ADMIN_URL)."
        )


class NotAuditorError(CheckpointerError):
    """Only auditors break the glass."""

    def __init__(self) -> None:
        super().__init__(
            "Only members of the auditors' role read a session that is not shared with them. An administrator names "
            "that role with `mooring db migrate --auditor-role` and grants it to people."
        )


class FeedbackError(CheckpointerError, ValueError):
    """Nobody can think that of a message. Nothing was stored."""


class MessageNotFoundError(CheckpointerError):
    """The principal sees no such message."""

    def __init__(self, thread_id: str, owner: str | None = None) -> None:
        whose = f" of {owner!r}" if owner else ""
        super().__init__(f"Thread {thread_id!r}{whose} has no such message now. Read it again.")


class MessageWithheldError(CheckpointerError):
    """What is withheld from somebody, they have no opinion of."""

    def __init__(self, thread_id: str, owner: str | None = None) -> None:
        whose = f" of {owner!r}" if owner else ""
        super().__init__(
            f"That message of thread {thread_id!r}{whose} is withheld from you: it was derived from tables that you "
            "may not read now as they were read then."
        )


class EncryptionError(CheckpointerError):
    """Something is not encrypted as it has to be. Nothing of it is handed out."""


class EncryptionKeyError(EncryptionError, ValueError):
    """A key cannot be used. No message shows anything of it."""


class ClearRowError(EncryptionError):
    """A saver that encrypts met something that is stored in the clear."""

    def __init__(self, owner: str, thread_id: str) -> None:
        super().__init__(
            f"Something of thread {thread_id!r} of {owner!r} is stored in the clear, and this saver encrypts, so it is "
            "not believed. An administrator encrypts what was stored before with `mooring db encrypt`."
        )


class EncryptedRowError(EncryptionError):
    """Something is encrypted under a key that is not known here."""

    def __init__(self, key: str | None = None) -> None:
        under = f"under the key {key!r}" if key else "and this saver has no key"
        super().__init__(
            f"It is encrypted, {under}. Open the saver with that key among its own: `encryption=Keyring(...)`, for the "
            "agent MOORING_ENCRYPTION_KEYS."
        )


class SealBrokenError(EncryptionError):
    """Something was encrypted under another key of this name, changed, or moved here from another place."""

    def __init__(self, owner: str, thread_id: str, key: str) -> None:
        super().__init__(
            f"Something of thread {thread_id!r} of {owner!r} is not what was encrypted there under the key {key!r}: it "
            "was changed or moved in the database, or the key of that name is another one. Look at the key first; else "
            "restore the row from a backup."
        )


class BlockedTypeError(CheckpointerError, TypeError):
    """A value's type is not on the allow-list, so it could not be read back as what it is.

    Upstream stores such a value and hands back its raw payload (see CVE-2026-28277 for why types are listed at
    all). Here it is refused before anything is stored.
    """

    def __init__(self, types: tuple[str, ...]) -> None:
        super().__init__(
            f"Not on the allow-list of types that may be rebuilt from the database: {', '.join(types)}. Pass the "
            "classes as `allowed_types=[...]` when opening the saver, or set LANGGRAPH_STRICT_MSGPACK=true to let "
            "LangGraph allow the types of your graph's state."
        )
        self.types = types


class UnrebuildableError(CheckpointerError, TypeError):
    """A stored value cannot be made again; LangGraph would hand back the arguments of its class instead."""

    def __init__(self, types: tuple[str, ...]) -> None:
        super().__init__(
            f"It holds what cannot be rebuilt here: {', '.join(types)}. Install the packages that the graph was run "
            "with, in the same versions."
        )


class UnstorableTextError(CheckpointerError, ValueError):
    """A name or an id cannot be stored, nor looked for. Nothing was stored."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"A {what} {why}. The database cannot hold it, and nothing was stored: choose another.")


class SourceError(CheckpointerError):
    """The database to import from cannot be read."""


class UnserializableError(CheckpointerError, TypeError):
    """A value cannot be turned into bytes."""

    def __init__(self, value: object) -> None:
        super().__init__(
            f"A value of type {type(value).__module__}.{type(value).__qualname__} cannot be stored. Keep it out of "
            "the graph's state (LangGraph's runtime context is the place for connections and clients)."
        )


class UnsafeRoleError(CheckpointerError):
    """The connection's role could read past the row-level policies."""


class SchemaError(CheckpointerError):
    """The schema is missing or older than this code."""


class NotOpenError(CheckpointerError):
    """The saver has no connections: it was not entered, or has been left."""

    def __init__(self) -> None:
        super().__init__("The saver is not open. Use it inside `with saver:` or `async with saver:`.")


class WrongThreadError(CheckpointerError):
    """A sync method was called on the event loop that would have to do the work."""

    def __init__(self) -> None:
        super().__init__(
            "This saver was entered with `async with`: on its event loop call the async method (`ainvoke`, "
            "`aget_state`, ...). Its sync methods work from other threads."
        )


class DatabaseUnavailableError(CheckpointerError):
    """The database could not be reached, or went away and did not come back in time."""
