"""The application: MLflow's `AgentServer` with our own handling of requests, which never blocks the event loop.

`create_app` is what a server of ASGI runs: `uvicorn --factory agent.server.app:create_app`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from mlflow.genai.agent_server import AgentServer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from agent.host import open_host
from agent.models import load_model
from agent.responses import Failure, failure_of
from agent.server import responses, sessions
from agent.server.callers import Callers
from agent.server.readiness import ModelProbe
from agent.server.running import Turns
from agent.settings import Settings
from agent.tracing import flush
from checkpointer import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import FastAPI


_READY_SECONDS = 5
_AWAY = f"The sessions' database has not answered within {_READY_SECONDS} seconds: look whether it runs"
_PAGE = Path(__file__).with_name("page.html").read_text("utf-8")
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Server(AgentServer):
    """The agent's HTTP server. Its application is `app`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("ResponsesAgent")
        self.settings = settings
        self.app.title = "Mooring"
        self.app.router.lifespan_context = self._lifespan
        self.app.include_router(responses.router)
        self.app.include_router(sessions.router)
        self.app.add_api_route("/ready", self._ready, methods=["GET"])
        self.app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
        self.app.add_exception_handler(RequestValidationError, _misunderstood)
        self.app.add_exception_handler(HTTPException, _no_route)
        self.app.add_exception_handler(Exception, _failed)

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the database, and leave it when the running turns have ended or their time is over."""
        async with AsyncExitStack() as stack:
            opening = open_host(self.settings, max_size=self.settings.connections)
            host = await run_in_threadpool(opening.__enter__)
            stack.push_async_callback(run_in_threadpool, opening.__exit__, None, None, None)
            stack.push_async_callback(run_in_threadpool, flush)
            turns = Turns(self.settings.turns)
            stack.push_async_callback(run_in_threadpool, turns.close, self.settings.grace_seconds)
            # From the signal on, and not from when the last client is gone.
            _when_told_to_end(lambda: turns.close_soon(self.settings.grace_seconds))
            await run_in_threadpool(_prepare, self.settings.model)
            app.state.probe = ModelProbe(self.settings.model)
            app.state.host, app.state.turns, app.state.callers = host, turns, Callers(host)
            yield

    async def _handle_invocations_request(self, request: Request) -> Any:
        """Answer a request for a turn; MLflow's own handler runs it on the event loop, and quotes whatever fails."""
        return await responses.answer(request)

    async def _ready(self, request: Request) -> Response:
        """Tell whether turns can be answered: database and model are there, with a schema that this code knows."""
        probe: ModelProbe = request.app.state.probe
        try:
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    # A database that does not answer is not waited for.
                    await to_thread.run_sync(request.app.state.host.check, abandon_on_cancel=True)
            except TimeoutError:
                raise DatabaseUnavailableError(_AWAY) from None
            await run_in_threadpool(probe.check, _READY_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
            failure = failure_of(error)
            return JSONResponse({"status": "unavailable", "reason": failure.message}, 503)
        return JSONResponse({"status": "ready"} | ({} if probe.note is None else {"model": probe.note}))


def create_app() -> FastAPI:
    """Return the application that the environment describes. What is for whoever runs it goes to stderr."""
    own = logging.getLogger("agent")
    if not own.handlers:
        own.addHandler(logging.StreamHandler())
    app: FastAPI = Server(Settings()).app
    return app


def _prepare(model: str) -> None:
    """Import what the model needs before somebody waits for it; what is wrong with it is told to whoever asks."""
    with suppress(Exception):
        load_model(model)


def _when_told_to_end(act: Callable[[], None]) -> None:
    """Do something as soon as the process is told to end, before what else is done then."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        others = signal.getsignal(number)

        def told(number: int, frame: Any, others: Any = others) -> None:
            act()
            if callable(others):
                others(number, frame)

        signal.signal(number, told)


async def _page() -> Response:
    """Explain the server to people: one page, which runs nothing and loads nothing."""
    return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)


async def _misunderstood(_: Request, error: Exception) -> Response:
    # Places in the address are the routes' own names, those in a body may be anything.
    places = [".".join(map(str, each["loc"][:2])) for each in error.errors()] if hasattr(error, "errors") else []
    return responses.told(Failure("invalid", f"The request is not understood at: {', '.join(places)[:200]}"))


async def _no_route(_: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    failure = Failure("invalid", "The request is not understood")
    if status == 404:
        failure = Failure("not_found", "There is no such address")
    elif status == 405:
        failure = Failure("invalid", f"This address takes {(headers or {}).get('Allow', 'other methods')}")
    return JSONResponse({"error": asdict(failure)}, status, headers)


async def _failed(_: Request, error: Exception) -> Response:
    return responses.told(failure_of(error))
