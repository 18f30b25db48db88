"""Whom a thread is shared with, and to whom it is given away.

A share lets a viewer read and an editor go on with a thread, each as themselves: what of its content they see is what
they may read themselves. They address it by its owner, `configurable["thread_owner"]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from checkpointer.errors import NotSharedError, ShareError, ThreadBusyError, ThreadNotFoundError
from checkpointer.operations import Operation, Statement
from checkpointer.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Sequence

ShareRole = Literal["viewer", "editor"]
_GROUP = "group:"


@dataclass(frozen=True, slots=True)
class Share:
    """A thread and whom it is shared with: a principal's name, or `group:` and a group's. Times carry a time zone."""

    owner: str
    thread_id: str
    shared_with: str
    role: ShareRole
    shared_at: datetime


def share(owner: str, thread_id: str, with_: str, role: ShareRole) -> Operation[None]:
    """Share a thread of the owner's; who has it already gets the role."""
    if role not in ("viewer", "editor"):
        msg = f"A role is 'viewer' or 'editor', not {role!r:.80}."
        raise ShareError(msg)
    [[(shared,)]] = yield [Statement("share", {"thread_id": thread_id, **_grantee(owner, with_), "role": role})]
    if not shared:
        raise ThreadNotFoundError(thread_id)


def unshare(owner: str, thread_id: str, with_: str) -> Operation[None]:
    """Share a thread of the owner's no longer."""
    params = {"owner": owner, "thread_id": thread_id}
    own, [(unshared,)] = yield [
        Statement("own_thread", params),
        Statement("unshare", {**params, **_grantee(owner, with_)}),
    ]
    if not own:
        raise ThreadNotFoundError(thread_id)
    if not unshared:
        raise NotSharedError(thread_id, with_)


def list_shares(owner: str, thread_id: str | None) -> Operation[Sequence[Share]]:
    """Return the shares of a thread of the owner's; without one, of all, and then what others share with the owner."""
    params = {"owner": owner, "thread_id": thread_id}
    own, rows = yield [Statement("own_thread", params), Statement("shares", params)]
    if thread_id is not None and not own:
        raise ThreadNotFoundError(thread_id)
    return [
        Share(whose, name, f"{_GROUP}{grantee}" if is_group else grantee, role, shared_at)
        for whose, name, grantee, is_group, role, shared_at in rows
    ]


def transfer(owner: str, thread_id: str, to: str) -> Operation[None]:
    """Give a thread of the owner's away."""
    if to.startswith(_GROUP):
        msg = "A thread is one person's. Share it with a group instead."
        raise ShareError(msg)
    if to == owner:
        msg = f"Thread {thread_id!r} is yours already."
        raise ShareError(msg)
    params = {"owner": owner, "thread_id": thread_id, "to": Principal(to).name}
    clear = dict.fromkeys(("places", "other_id", "other_places"))
    [[(given, busy)]] = yield [Statement("transfer", {**params, **clear})]
    if busy is not None:
        raise ThreadBusyError(thread_id, busy)
    if given is None:
        raise ThreadNotFoundError(thread_id)


def _grantee(owner: str, with_: str) -> dict[str, Any]:
    is_group = with_.startswith(_GROUP)
    name = Principal(with_.removeprefix(_GROUP)).name
    if name == owner and not is_group:
        msg = "A thread is its owner's already. Share it with somebody else, or with `group:` and the name of a group."
        raise ShareError(msg)
    return {"grantee": name, "is_group": is_group}
