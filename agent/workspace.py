"""Callers proven by a Databricks workspace, one way for each surface, and never by the service's own identity.

Each way ends in a client that carries one caller's credentials, and in the name that the workspace itself gives for
them. Nothing of a request's body is looked at.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import Unauthenticated

from agent.errors import CallerError, ScopeError
from agent.local.ephemeral import ephemeral_surface
from checkpointer import Principal
from tools.unity.failures import missing_scopes
from tools.workspace.sources import seen_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ACCESS = "x-forwarded-access-token"
_EMAIL = "x-forwarded-email"
# The SDK takes these before a profile's own, and tells nobody.
_OVERRIDING = (
    "DATABRICKS_TOKEN",
    "DATABRICKS_CLIENT_ID",
    "DATABRICKS_CLIENT_SECRET",
    "DATABRICKS_USERNAME",
    "DATABRICKS_PASSWORD",
)
# A workspace that cannot be reached is told to a person who waits for it. Reading a session waits too, and withholds
# what it does not know about.
_RETRY_SECONDS, _RETRY_SECONDS_OF_A_READ = 60, 10


@dataclass(frozen=True, slots=True)
class WorkspaceCaller:
    """A principal, and the client that acts as them and nobody else."""

    principal: Principal
    client: WorkspaceClient = field(repr=False)


def model_serving_caller() -> WorkspaceCaller:
    """Return the invoker of the request that Model Serving handles now. Call it once for each, inside `predict`.

    The platform offers the token of whoever calls now; a client that asks for it at every call can send another
    request's. This one is made from the token of this moment and keeps it.

    Raises:
        CallerError: There is no user's token, or the workspace does not accept it.
    """
    host = os.environ.get("DATABRICKS_MODEL_SERVING_HOST_URL") or os.environ.get("DB_MODEL_SERVING_HOST_URL")
    if not host:
        raise CallerError("This is not Model Serving", "set DATABRICKS_MODEL_SERVING_HOST_URL, as its containers do")
    token = _invokers_token()
    if not token:
        raise CallerError(
            "The request came without a user's token",
            "log the model with auth_policy=AuthPolicy(user_auth_policy=UserAuthPolicy(api_scopes=[...])), and call it "
            "as a user; it never answers as its own service principal",
        )
    return _verified(partial(_client, host, token))


def apps_caller(headers: Mapping[str, str]) -> WorkspaceCaller:
    """Return the user whom the proxy of Databricks Apps forwards a request of.

    Their token is what counts; the e-mail address beside it must be the same person's.

    Args:
        headers: The request's headers, in any case.

    Raises:
        CallerError: There is no token, the workspace does not accept it, or it is somebody else's.
    """
    given = {name.lower(): value for name, value in headers.items()}
    token, host = given.get(_ACCESS), os.environ.get("DATABRICKS_HOST")
    if not token or not host:
        missing = f"the header {_ACCESS}" if host else "DATABRICKS_HOST"
        raise CallerError(
            f"The request came without {missing}",
            "give the app user authorization (user_api_scopes) and open it through the workspace",
        )
    caller = _verified(partial(_client, host, token))
    email = given.get(_EMAIL)
    if email and email.casefold() != caller.principal.name.casefold():
        raise CallerError("The request's token and e-mail address are of two people", "log in again")
    return caller


def default_caller(profile: str | None = None) -> WorkspaceCaller:
    """Return whom the SDK's default credentials belong to: of a notebook, a job, or a profile of the command line.

    Raises:
        CallerError: There are none, the workspace does not accept them, or they are those of a deployed service.
    """
    return _verified(partial(default_client, profile))


def default_client(profile: str | None = None, retry_seconds: int = _RETRY_SECONDS) -> WorkspaceClient:
    """Return a client of the default credentials; whose they are is not asked.

    Raises:
        CallerError: There are none, they are those of a deployed service, or the environment's would be taken for a
            profile's.
    """
    if surface := ephemeral_surface():
        raise CallerError(
            f"On {surface} the default credentials are the service's own", "use those that come with the request"
        )
    overriding = [name for name in _OVERRIDING if os.environ.get(name)]
    if profile is not None and overriding:
        raise CallerError(
            f"{overriding[0]} in the environment would be sent instead of the login of --profile {profile}",
            f"unset {' '.join(overriding)}, or leave the profile out",
        )
    try:
        return WorkspaceClient(config=Config(profile=profile, retry_timeout_seconds=retry_seconds))
    except ValueError:
        name = "" if profile is None else f" --profile {profile}"
        raise CallerError("No login to Databricks is configured" + name, f"run `databricks auth login{name}`") from None


def _invokers_token() -> str | None:
    try:
        serving: Any = import_module("mlflowserving.scoring_server.agent_utils")
    except ModuleNotFoundError:
        # Older images keep it where every thread sees it.
        found = vars(threading.main_thread()).get("invokers_token")
    else:
        found = serving.fetch_obo_token()
    return found if isinstance(found, str) else None


def _client(host: str, token: str, retry_seconds: int) -> WorkspaceClient:
    """Make a client of one token; without `auth_type` the service's own credentials in the environment would count."""
    config = Config(host=host, token=token, auth_type="pat", retry_timeout_seconds=retry_seconds)
    return WorkspaceClient(config=config)


def _verified(client_of: Callable[[int], WorkspaceClient]) -> WorkspaceCaller:
    client = client_of(_RETRY_SECONDS)
    try:
        me = client.current_user.me()
    except (DatabricksError, OSError, ValueError) as error:
        # What the SDK says names its configuration, so that only what kind of error it was is told.
        if scopes := missing_scopes(error):
            remedy = "an administrator can add it to the user authorization of this app or endpoint; log in again then"
            raise ScopeError(f"Your login was not given the scope {scopes}", remedy) from None
        if isinstance(error, Unauthenticated):
            raise CallerError("The workspace does not accept your login, or no longer does", "log in again") from None
        problem = f"The workspace did not say who you are ({type(error).__name__})"
        raise CallerError(problem, "try again in a moment") from None
    if not me.user_name or me.active is False:
        raise CallerError("The workspace does not know you as an active user", "ask an administrator")
    groups = frozenset(group.display for group in me.groups or () if group.display)
    name = me.user_name
    sees = partial(seen_by, client_of(_RETRY_SECONDS_OF_A_READ), lambda: name)
    return WorkspaceCaller(Principal(name, groups, sees), client)
