"""The saver of an installation: the runtime role's connection, and the schema that its settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.database import open_database
from agent.errors import MooringError
from checkpointer import EncryptionKeyError, GovernedPostgresSaver, Keyring

if TYPE_CHECKING:
    from contextlib import ExitStack

    from agent.database import Database
    from agent.settings import Settings
    from agent.workspace import WorkspaceCaller


def saver_of(settings: Settings, database: Database, **options: Any) -> GovernedPostgresSaver:
    """Return the saver, to be entered with `with` or `async with`; options as for the class."""
    return GovernedPostgresSaver.from_conn_string(database.runtime, **options_of(settings), **options)


def saver_of_workspace(settings: Settings, caller: WorkspaceCaller, stack: ExitStack) -> GovernedPostgresSaver:
    """Return the caller's own login to Lakebase where one is named, else the runtime role's database."""
    if not settings.lakebase:
        return saver_of(settings, stack.enter_context(open_database(settings)))
    return GovernedPostgresSaver.from_lakebase(identity="login", workspace_client=caller.client, **options_of(settings))


def keyring_of(settings: Settings) -> Keyring | None:
    """Return the keys that sessions are encrypted under, None where they are not.

    Raises:
        MooringError: They cannot be used; nothing of them is shown.
    """
    if settings.encryption_keys is None:
        return None
    try:
        return Keyring.parse(settings.encryption_keys)
    except EncryptionKeyError as error:
        problem = f"MOORING_ENCRYPTION_KEYS cannot be used: {error}".removesuffix(".")
        remedy = "write NAME=BASE64, the newest first, or file: and the path of a file that holds them"
        raise MooringError(problem, remedy) from error


def options_of(settings: Settings) -> dict[str, Any]:
    """Return what every saver of an installation is opened with, wherever its database is."""
    return {"schema": settings.sessions_schema, "encryption": keyring_of(settings)}
