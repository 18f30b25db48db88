"""Chat models of a workspace's serving endpoints, called as one caller, whose refusals are told in a sentence."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from databricks_langchain import ChatDatabricks
from httpx import HTTPError
from openai import APIConnectionError, APIError, APIStatusError

from agent.models.errors import ModelError
from tools.unity.failures import missing_scopes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from databricks.sdk import WorkspaceClient
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

# Each waits as long as the server says.
_RETRIES = 4
_REMEDIES = {
    400: ("did not take the request", "its model may lack tools, or the conversation may be too long for it"),
    401: ("does not accept your login, or no longer does", "log in again"),
    403: ("may not be queried by you", "ask its owner for CAN QUERY"),
    404: ("does not exist", "list them with `databricks serving-endpoints list`"),
    429: ("is busy", "try again in a moment"),
}
# Its debug log holds the prompts.
logging.getLogger("openai").setLevel(logging.INFO)


def endpoint_model(endpoint: str, client: WorkspaceClient) -> EndpointModel:
    """Return the model of a serving endpoint, which is called with the client's credentials."""
    return EndpointModel(model=endpoint, workspace_client=client, max_retries=_RETRIES)


class EndpointModel(ChatDatabricks):  # type: ignore[misc]
    """ChatDatabricks whose errors quote nothing of the prompt."""

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        with _told(self.model):
            result: ChatResult = super()._generate(messages, *args, **kwargs)
            return result

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        with _told(self.model):
            result: ChatResult = await super()._agenerate(messages, *args, **kwargs)
            return result

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        with _told(self.model):
            yield from super()._stream(messages, *args, **kwargs)

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with _told(self.model):
            async for chunk in super()._astream(messages, *args, **kwargs):
                yield chunk


@contextmanager
def _told(endpoint: str) -> Iterator[None]:
    try:
        yield
    except APIStatusError as error:
        if scopes := missing_scopes(error):
            remedy = "an administrator can add it to the user authorization of this app or endpoint; log in again then"
            raise ModelError(f"Your login was not given the scope {scopes}, which models need", remedy) from None
        unavailable = (f"is not available (HTTP {error.status_code})", "try again in a moment")
        what, remedy = _REMEDIES.get(error.status_code, unavailable)
        raise ModelError(f"The serving endpoint {endpoint} {what}", remedy) from None
    except APIConnectionError:
        raise ModelError(f"The serving endpoint {endpoint} cannot be reached", "try again in a moment") from None
    except (APIError, HTTPError, JSONDecodeError):
        # After its first words: an event that tells of an error or is none, or the end of the connection.
        raise ModelError(
            f"The serving endpoint {endpoint} broke off in the middle of its answer", "ask again"
        ) from None
