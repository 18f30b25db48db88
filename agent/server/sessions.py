"""Routes of a caller's sessions, for pages: the JSON of the command line, under the caller's own identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from agent.feedback import Given, give_feedback, trace_feedback
from agent.identity import Proven
from agent.responses import FailureError, failure_of
from agent.schemas import Feedback, Opinion, SessionInfo, SharedWith, ShareInfo, Stopped, Titled, Transcript
from agent.server.responses import told
from agent.transcript import info_of, share_of, transcript_of
from checkpointer import GovernedPostgresSaver, ThreadNotFoundError

Name = Annotated[str, Path(min_length=1, max_length=255)]
Owner = Annotated[str | None, Query(max_length=255, description="Whose session it is, if somebody else's.")]

router = APIRouter(prefix="/sessions")


async def _as_caller(request: Request, work: Callable[[GovernedPostgresSaver, Proven], Any]) -> Response:
    """Do something with the saver as whoever makes the request, away from the event loop."""

    def run() -> Any:
        state = request.app.state
        caller = state.callers.of(request.headers)
        with state.host.memory(caller) as saver:
            return work(saver, caller)

    try:
        found = await run_in_threadpool(run)
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        return told(failure_of(error))
    if found is None:
        return Response(status_code=204)
    if isinstance(found, Given):
        # Whoever keeps traces is not waited for.
        after = BackgroundTask(trace_feedback, request.app.state.host.settings, found)
        return Response(found.feedback.model_dump_json(), media_type="application/json", background=after)
    if isinstance(found, BaseModel):
        return Response(found.model_dump_json(), media_type="application/json")
    texts = ",".join(each.model_dump_json() for each in found)
    return Response(f"[{texts}]", media_type="application/json")


async def _as_owner(request: Request, owner: str | None, work: Callable[[GovernedPostgresSaver], Any]) -> Response:
    """Do what a session's owner alone may do; the caller's own one of that name is not taken for another's."""

    def owned(saver: GovernedPostgresSaver, who: Proven) -> Any:
        if _other(owner, who) is not None:
            raise FailureError("forbidden", "Only its owner renames, deletes and shares a session")
        return work(saver)

    return await _as_caller(request, owned)


@router.get("", response_model=list[SessionInfo])
async def list_(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """List the caller's sessions, the one used last first."""
    return await _as_caller(request, lambda saver, _: [info_of(each) for each in saver.sessions(limit=limit)])


@router.get("/shares", response_model=list[ShareInfo])
async def shares(request: Request) -> Response:
    """List whom the caller's sessions are shared with, and what others share with them."""
    return await _as_caller(request, lambda saver, _: [share_of(each) for each in saver.shares()])


@router.get("/{name}/messages", response_model=Transcript)
async def messages(request: Request, name: Name, owner: Owner = None) -> Response:
    """Return a session with its messages, oldest first; what the caller may not read now is withheld."""
    return await _as_caller(request, lambda saver, who: transcript_of(saver, name, _other(owner, who)))


@router.post("/{name}/messages/{message}/feedback", response_model=Feedback)
async def feedback(request: Request, name: Name, message: Name, opinion: Opinion, owner: Owner = None) -> Response:
    """Say what the caller thinks of an answer, instead of what they said before."""
    return await _as_caller(
        request, lambda saver, who: give_feedback(saver, name, message, opinion, _other(owner, who))
    )


@router.get("/{name}/export", response_model=Transcript)
async def export(request: Request, name: Name, owner: Owner = None) -> Response:
    """Return the same; the audit tells that it was taken out."""
    return await _as_caller(request, lambda saver, who: transcript_of(saver, name, _other(owner, who), exports=True))


@router.patch("/{name}", status_code=204)
async def rename(request: Request, name: Name, titled: Titled, owner: Owner = None) -> Response:
    """Give a session another title; its name stays."""
    return await _as_owner(request, owner, lambda saver: saver.rename(name, titled.title))


@router.delete("/{name}", status_code=204)
async def delete(request: Request, name: Name, owner: Owner = None) -> Response:
    """Delete a session with everything in it."""

    def work(saver: GovernedPostgresSaver) -> None:
        if not saver.sessions(thread_id=name):
            raise ThreadNotFoundError(name)
        saver.delete_thread(name)

    return await _as_owner(request, owner, work)


@router.put("/{name}/shares", status_code=204)
async def share(request: Request, name: Name, shared: SharedWith, owner: Owner = None) -> Response:
    """Let somebody read a session, or go on with it, as themselves."""
    return await _as_owner(request, owner, lambda saver: saver.share(name, shared.shared_with, shared.role))


@router.delete("/{name}/shares/{shared_with}", status_code=204)
async def unshare(request: Request, name: Name, shared_with: Name, owner: Owner = None) -> Response:
    """Share a session with somebody no longer."""
    return await _as_owner(request, owner, lambda saver: saver.unshare(name, shared_with))


@router.post("/{name}/stop", response_model=Stopped)
async def stop(request: Request, name: Name, owner: Owner = None) -> Response:
    """Stop a session's turn half-way, whichever process runs it; what it found is kept."""

    def run() -> Stopped:
        state = request.app.state
        caller = state.callers.of(request.headers)
        who = caller.principal.name
        here = state.turns.running(owner or who, name, who)
        if here is not None:
            here.stop()
            return Stopped(session=name, stopped=True)
        with state.host.conversation(caller, name, _other(owner, caller)) as conversation:
            return Stopped(session=name, stopped=conversation.stop(anywhere=True))

    try:
        stopped = await run_in_threadpool(run)
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        return told(failure_of(error))
    return Response(stopped.model_dump_json(), media_type="application/json")


def _other(owner: str | None, who: Proven) -> str | None:
    return None if owner == who.principal.name else owner or None
