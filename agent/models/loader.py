"""Load a chat model by its name, with errors that say what to install or set."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.models.errors import ModelError
from agent.models.offline import OfflineChatModel

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from langchain_core.language_models import BaseChatModel

_CHOICES = "choose offline, databricks:<endpoint>, openai:<model>, anthropic:<model> or ollama:<model>"
_INSTALL = re.compile(r"pip install (?:-U )?[`'\"]?([\w.-]+)")


def load_model(name: str, client: WorkspaceClient | None = None) -> BaseChatModel:
    """Load a chat model; nothing is sent to it yet.

    A model of Databricks is called with the `client` of the caller, else as whoever is logged in on this machine.

    Raises ModelError for an empty name, an unknown provider, a package that is not installed and a missing key, and
    CallerError where nobody is logged in to Databricks.
    """
    name = name.strip()
    provider, _, endpoint = name.partition(":")
    if not name:
        raise ModelError("No model is named", _CHOICES)
    if name == "offline":
        return OfflineChatModel()
    if provider != "databricks":
        return _by_provider(name, provider)
    if not endpoint:
        raise ModelError("The name of the Databricks endpoint is missing", "write databricks:<endpoint>")
    return _databricks(endpoint, client)


def _databricks(endpoint: str, client: WorkspaceClient | None) -> BaseChatModel:
    try:
        models: Any = import_module("agent.models.databricks")
        workspace: Any = import_module("agent.workspace")
    except ImportError as error:
        problem = f"The model databricks:{endpoint} needs a package that is not installed"
        raise ModelError(problem, "pip install 'mooring[databricks]'") from error
    model: BaseChatModel = models.endpoint_model(endpoint, client or workspace.default_client())
    return model


def _by_provider(name: str, provider: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model  # slow to import, and not needed by the other models

    if ":" in name and not name.partition(":")[2]:
        raise ModelError(f"The name of the model is missing after {provider}:", f"write {provider}:<model>")
    try:
        return init_chat_model(name)
    except ImportError as error:
        found = _INSTALL.search(str(error))
        package = found[1].rstrip(".") if found else f"langchain-{provider}"
        raise ModelError(f"The model {name} needs a package that is not installed", f"pip install {package}") from error
    except Exception as error:
        # The messages of providers are long and may hold a key, so only what kind of error it was is told.
        if isinstance(error, ValueError) and "model provider" in str(error):
            raise ModelError(f"No provider is known for the model {name}", _CHOICES) from error
        key = f"{re.sub(r'[^A-Z0-9]+', '_', provider.upper())}_API_KEY"
        problem = f"The model {name} cannot be set up ({type(error).__name__})"
        raise ModelError(problem, f"check that its key is set, such as {key}") from error
