"""`mooring log-model`, `mooring serve` and `mooring token`."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict
from importlib.util import find_spec

import typer

from agent.cli.options import Format
from agent.cli.output import print_json
from agent.errors import MooringError
from agent.schemas import LoggedModel
from agent.settings import Settings

_PORT = 8000


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
    # What is wrong is told before there is a server, which would tell it in its log.
    with open_host(settings):
        # Uvicorn ends in its own way, and passes the signal on then: what is open here is closed first.
        signal.signal(signal.SIGTERM, lambda *_: None)
        uvicorn.run(
            "agent.server.app:create_app",
            factory=True,
            host=host,
            port=port or int(os.environ.get("DATABRICKS_APP_PORT", _PORT)),
            workers=workers,
            log_level="warning",
            timeout_graceful_shutdown=round(settings.grace_seconds) + 2,
        )
    # A chat model's call cannot be cancelled, and an interpreter that ends by itself would wait for its thread.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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
