"""`mooring log-model`, `mooring serve` and `mooring token`."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import asdict
from importlib.util import find_spec

import typer

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.errors import MooringError
from agent.schemas import LoggedModel
from agent.settings import Settings

_PORT, _PORTS = 8000, 65536


def run_log_model(
    register: str | None,
    alias: str | None,
    experiment: str | None,
    commit: str | None,
    model: str | None,
    warehouse: str | None,
    output: Format,
) -> None:
    """Log the model."""
    from agent.packaging import log_model

    given = {"model": model, "warehouse_id": warehouse}
    settings = Settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    logged = log_model(settings, register=register, alias=alias, experiment=experiment, commit=commit)
    if output is Format.JSON:
        print_json(LoggedModel(**asdict(logged)))
        return
    typer.echo(logged.model_uri)


def run_serve(host: str, port: int, workers: int) -> None:
    """Serve until the process is told to end."""
    _require_serving()
    import uvicorn

    from agent.host import open_host

    settings = Settings()
    port = port or _app_port()
    # What is wrong is told before there is a server, which would tell it in its log.
    _require_address(host, port)
    with open_host(settings):
        # Uvicorn ends in its own way, and passes the signal on then: what is open here is closed first.
        signal.signal(signal.SIGTERM, lambda *_: None)
        uvicorn.run(
            "agent.server.app:create_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_level="warning",
            timeout_graceful_shutdown=round(settings.grace_seconds) + 2,
        )
    # A chat model's call cannot be cancelled, and an interpreter that ends by itself would wait for its thread.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _app_port() -> int:
    """Return the port that Databricks Apps names, or our own."""
    named = os.environ.get("DATABRICKS_APP_PORT", str(_PORT))
    if not named.isdecimal() or not 0 < int(named) < _PORTS:
        raise MooringError("DATABRICKS_APP_PORT is not the number of a port", "mend it, or give one with --port")
    return int(named)


def _require_address(host: str, port: int) -> None:
    """Look whether the server can listen there."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        # Python adds the address to it.
        why = (error.strerror or type(error).__name__).partition(" (")[0]
        problem = f"The server cannot listen at {host}, port {port} ({why})"
        raise MooringError(problem, "end what listens there, or choose another with --host and --port") from error


def run_token(user: str | None) -> None:
    """Print a token of somebody who can log in."""
    _require_serving()
    from agent.cli.runtime import NobodyError
    from agent.database import open_database
    from agent.identity import log_in
    from agent.server.tokens import issue, refuse_where_proven

    settings = Settings()
    refuse_where_proven(settings)
    with open_database(settings) as database:
        name = user or settings.user or database.default_user
        if name is None:
            raise NobodyError
        typer.echo(issue(settings, log_in(database, name).principal.name))


def _require_serving() -> None:
    if find_spec("mlflow") is None:
        raise MooringError("MLflow is not installed", "pip install 'mooring[serving]'")
