"""A session of one's own that begins where another one was: time travel that leaves the past as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.errors import MooringError
from agent.graph import build_graph
from agent.models import OfflineChatModel
from checkpointer import ThreadNotFoundError

if TYPE_CHECKING:
    from checkpointer import GovernedPostgresSaver


def fork(saver: GovernedPostgresSaver, session: str, into: str, checkpoint_id: str | None = None) -> None:
    """Copy a session of the bound principal's, and go back in the copy to one of its checkpoints.

    What is withheld in the session is withheld in the copy: labels are copied with what they label.

    Args:
        saver: An open saver.
        session: Its thread id.
        into: The thread id of the copy.
        checkpoint_id: Where the copy goes on; without one where the session is.

    Raises:
        ThreadNotFoundError: There is no such session.
        ThreadExistsError: There is already what would be the copy.
        MooringError: The session has no such checkpoint.
    """
    if not saver.sessions(thread_id=session):
        raise ThreadNotFoundError(session)
    if checkpoint_id is not None:
        place: Any = {"configurable": {"thread_id": session, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}}
        if saver.get_tuple(place) is None:
            problem = f"The session {session!r} has no checkpoint {checkpoint_id!r}"
            raise MooringError(problem, "take one that `mooring sessions history` lists")
    saver.copy_thread(session, into)
    if checkpoint_id is not None:
        there: Any = {"configurable": {"thread_id": into, "checkpoint_id": checkpoint_id}}
        build_graph(OfflineChatModel(), saver).update_state(there, None, as_node="__copy__")
