"""The agent as an MLflow model: a `ResponsesAgent`, for Model Serving, notebooks and evaluation runs.

`mooring log-model` logs this file as a model from code. A request names its session in `custom_inputs.thread_id`, else
`context.conversation_id` does; a new one is told in `custom_outputs.thread_id`. Who asks is never in a request's body:
see `agent.surfaces`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import ResponsesAgent
from mlflow.types.responses import (
    ResponsesAgentRequest,
    ResponsesAgentResponse,
    ResponsesAgentStreamEvent,
    create_text_output_item,
)

from agent.host import Host, open_host
from agent.responses import FailureError, asked_in, events_of, failure_of, response_of
from agent.responses.turns import new_session
from agent.settings import Settings
from agent.surfaces import present_caller

EXAMPLE = {"input": [{"role": "user", "content": "which tables can I read?"}], "custom_inputs": {"example": True}}
"""A request that is answered with fixed words, without a caller and without a database, and leaves nothing."""

_FIXED = "This is an example. Ask without custom_inputs.example, and the answer comes from your tables."


class _Untraced(ResponsesAgent):
    """MLflow traces all that its agents are asked and answer. Turns trace themselves, see `agent.tracing`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super(ResponsesAgent, cls).__init_subclass__(**kwargs)


class MooringAgent(_Untraced):
    """Answers requests, each as the person who makes it. Opens the database with the first one."""

    def __init__(self) -> None:
        self._opening = threading.Lock()
        self._open = ExitStack()
        self._host: Host | None = None

    def predict(self, request: ResponsesAgentRequest) -> ResponsesAgentResponse:  # type: ignore[override]
        """Answer a request with the whole response.

        Raises:
            RuntimeError: It cannot be answered; the message begins with a code of `agent.responses.CODES`.
        """
        try:
            return response_of(self._events(request))
        except FailureError as error:
            failure = error.failure
        raise RuntimeError(f"{failure.code}: {failure.message}")

    def predict_stream(  # type: ignore[override]
        self, request: ResponsesAgentRequest
    ) -> Generator[ResponsesAgentStreamEvent, None, None]:
        """Answer a request with what happens, as it happens; a failure is an event."""
        for event in self._events(request):
            yield ResponsesAgentStreamEvent(**event)

    def close(self) -> None:
        """Close the connections. The next request opens them again."""
        with self._opening:
            self._host = None
            self._open.close()

    def _events(self, request: ResponsesAgentRequest) -> Iterator[dict[str, Any]]:
        if (request.custom_inputs or {}).get("example") is True:
            yield from _example()
            return
        try:
            asked = asked_in(request)
            host = self._opened()
            caller = present_caller(host)
            with host.conversation(caller, asked.session or new_session(), asked.owner) as conversation:
                yield from events_of(conversation, asked, host.settings.model)
        except Exception as error:  # noqa: BLE001 - what a client is told of it is on a list
            failure = failure_of(error)
            yield {"type": "error", "code": failure.code, "message": failure.message}

    def _opened(self) -> Host:
        with self._opening:
            if self._host is None:
                self._host = self._open.enter_context(open_host(Settings()))
            return self._host


def _example() -> Iterator[dict[str, Any]]:
    item = create_text_output_item(_FIXED, "msg_example")
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    response = {"id": "resp_example", "object": "response", "status": "completed", "output": [item]}
    yield {"type": "response.completed", "response": response}


set_model(MooringAgent())
