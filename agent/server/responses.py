"""Routes of the Responses protocol: `/invocations` and `/responses`, whole, streamed, or in the background."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from mlflow.genai.agent_server.server import RETURN_TRACE_HEADER
from mlflow.types.responses import ResponsesAgentRequest
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from agent.responses import Failure, FailureError, asked_in, failure_of
from agent.responses.turns import new_session
from agent.server.elsewhere import Elsewhere
from agent.server.running import Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent.conversation import Conversation
    from agent.responses import Asked
    from agent.server.running import Event

MOST_BYTES = 4_000_000

router = APIRouter()


async def answer(request: Request) -> Response:
    """Start the turn that a request asks for, and answer with it."""
    try:
        caller = await run_in_threadpool(request.app.state.callers.of, request.headers)
        raw = await _raw(request)
        body, asked = await run_in_threadpool(_read, raw)
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        return told(failure_of(error))
    host, session = request.app.state.host, asked.session or new_session()

    def opening() -> AbstractContextManager[Conversation]:
        conversation: AbstractContextManager[Conversation] = host.conversation(caller, session, asked.owner)
        return conversation

    tells_trace = request.headers.get(RETURN_TRACE_HEADER, "").lower() == "true"
    turn = Turn(caller.principal.name, session, asked, host.settings.model, tells_trace=tells_trace)
    request.app.state.turns.start(turn, opening)
    background = body.get("background") is True
    if body.get("stream") is True:
        return await _streamed(turn, cancels=host.settings.client_gone == "cancel" and not background)
    if background:
        return await _begun(turn)
    return await _whole(turn)


@router.get("/responses/{response_id}")
async def retrieve(
    request: Request, response_id: str, stream: bool = False, starting_after: Annotated[int, Query(ge=-1)] = -1
) -> Response:
    """Return a response as far as it got, or go on with its stream.

    Of another process's, and of one that its caller may not read all of any more, it is what the session tells.
    """
    try:
        elsewhere, turn = await run_in_threadpool(_mine, request, response_id)
        if turn is not None:
            return await _streamed(turn, start=starting_after + 1) if stream else JSONResponse(_state(turn))
        stored = await run_in_threadpool(elsewhere.read)
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        return told(failure_of(error))
    if not stream:
        return JSONResponse(stored.response)
    lines = _lines(elsewhere.follow(stored, starting_after + 1))
    return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@router.post("/responses/{response_id}/cancel")
async def cancel(request: Request, response_id: str) -> Response:
    """Stop a response's turn, whichever process runs it."""
    try:
        elsewhere, turn = await run_in_threadpool(_mine, request, response_id)
        if turn is None:
            return JSONResponse((await run_in_threadpool(elsewhere.stop)).response)
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        return told(failure_of(error))
    await run_in_threadpool(turn.stop)
    async for _ in turn.follow():
        pass
    return JSONResponse(_state(turn))


def _mine(request: Request, response_id: str) -> tuple[Elsewhere, Turn | None]:
    """Return a response of whoever asks, and its turn, if this process remembers it and may tell of it."""
    caller = request.app.state.callers.of(request.headers)
    turn: Turn | None = request.app.state.turns.find(caller.principal.name, response_id)
    elsewhere = Elsewhere(request.app.state.host, caller, response_id)
    return elsewhere, turn if turn is not None and elsewhere.tells(turn) else None


async def _lines(events: AsyncIterator[Event]) -> AsyncIterator[str]:
    try:
        async for event in events:
            yield _line(event)
    except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
        failure = failure_of(error)
        yield _line({"type": "error", "code": failure.code, "message": failure.message, "param": None})
    yield "data: [DONE]\n\n"


async def _begun(turn: Turn) -> Response:
    """Answer as soon as the turn has begun."""
    try:
        async for event in turn.follow():
            return JSONResponse(event["response"] | {"background": True}, 202)
    except FailureError as error:
        return told(error.failure)
    return told(Failure("internal", "The turn did not begin"))


async def _whole(turn: Turn) -> Response:
    try:
        async for event in turn.follow():
            if event["type"] == "error":
                return told(Failure(event["code"], event["message"]))
    except FailureError as error:
        return told(error.failure)
    return JSONResponse(_state(turn))


async def _streamed(turn: Turn, start: int = 0, *, cancels: bool = False) -> Response:
    """Stream a turn's events. What fails before the first one is a status of HTTP."""
    events = turn.follow(start)
    try:
        first = await anext(events, None)
    except FailureError as error:
        return told(error.failure)

    async def lines() -> AsyncIterator[str]:
        done = False
        try:
            if first is not None:
                yield _line(first)
            async for event in events:
                yield _line(event)
            yield "data: [DONE]\n\n"
            done = True
        finally:
            if cancels and not done:
                # The client is gone, and this task with it: the turn is stopped by a thread that nobody waits for.
                turn.stop_soon()

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


def _state(turn: Turn) -> dict[str, Any]:
    """Return the response as far as it got."""
    response: dict[str, Any] = {}
    output: list[Any] = []
    for event in list(turn.events):
        if event["type"] == "response.output_item.done":
            output.append(event["item"])
        response = event.get("response", response)
    return {**response, "output": response.get("output") or output}


def _line(event: Event) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def told(failure: Failure) -> Response:
    """Return a failure as HTTP."""
    return JSONResponse({"error": {"code": failure.code, "message": failure.message}}, failure.status)


async def _raw(request: Request) -> bytes:
    """Read the request's body, no more of it than is allowed."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            problem = "The request is larger than 4 MB: send the new message alone, the session holds the others"
            raise FailureError("too_large", problem)
    return bytes(raw)


def _read(raw: bytes) -> tuple[dict[str, Any], Asked]:
    """Read a body: what it says, and what it asks."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise FailureError("invalid", "The request's body is not JSON, or is nested too deeply") from None
    if not isinstance(body, dict):
        raise FailureError("invalid", "The request's body has to be a JSON object with `input`")
    if body.get("previous_response_id") is not None or body.get("conversation") is not None:
        raise FailureError("invalid", "Sessions are named in custom_inputs.thread_id, or context.conversation_id")
    try:
        return body, asked_in(_parsed(body))
    except RecursionError:
        raise FailureError("invalid", "The request is nested too deeply") from None


def _parsed(body: dict[str, Any]) -> ResponsesAgentRequest:
    given = body.get("input")
    if isinstance(given, str):
        body = body | {"input": [{"role": "user", "content": given}]}
    try:
        return ResponsesAgentRequest(**body)
    except ValidationError as error:
        # What was given is not quoted back: it may be anything, names of fields included.
        places = sorted({".".join(str(part) for part in _known(each["loc"])) for each in error.errors()})
        raise FailureError("invalid", f"The request is not understood at: {', '.join(places[:5])[:200]}") from None
    except TypeError:
        raise FailureError("invalid", "The request's names have to be texts") from None


def _known(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return place[:2] if place[:1] == ("input",) else place[:1]
