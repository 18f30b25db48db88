"""Who asks, where no request says it by itself: the surfaces on which the model is called as a Python object.

| surface | who is believed |
|---|---|
| Model Serving | the invoker of the request, by the token that came with it |
| a notebook or job of a workspace | whoever it runs as |
| a laptop, `MOORING_PROFILE` | the login to Databricks of that name |
| a laptop, `MOORING_USER` | the login to the database of that name |

Nobody else: there is no service to fall back to. A server knows its callers request by request, see `agent.server`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.errors import CallerError
from agent.identity import Caller, log_in, workspace_caller
from agent.local.ephemeral import ephemeral_surface

if TYPE_CHECKING:
    from agent.host import Host
    from agent.workspace import WorkspaceCaller

# Set wherever Databricks runs notebooks and jobs.
_RUNTIME = "DATABRICKS_RUNTIME_VERSION"


def present_caller(host: Host) -> Caller | WorkspaceCaller:
    """Return who asks now. Call it once for each request.

    Raises:
        CallerError: Nobody does, or their credentials are not accepted.
        LoginError: MOORING_USER cannot log in.
    """
    surface = ephemeral_surface()
    if surface == "Databricks Model Serving":
        from agent.workspace import model_serving_caller

        return model_serving_caller()
    if surface is not None:
        raise CallerError(f"On {surface} people are known by their requests alone", "start it with `mooring serve`")
    settings = host.settings
    if settings.profile is not None or os.environ.get(_RUNTIME):
        return workspace_caller(settings.profile)
    if settings.user is None or host.database is None:
        raise CallerError("It is not said who is asking", "set MOORING_USER, or MOORING_PROFILE")
    return log_in(host.database, settings.user)
