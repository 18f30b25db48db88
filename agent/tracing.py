"""MLflow traces of turns: a span for each node, tool and call of the model, and only as much text as may be read there.

Traces have other readers than sessions, so that `MOORING_TRACES` says what spans hold:

- `redacted`, the default: of what was derived from tables sizes and sources, never text. The person's own words, and
  what is said before any table was read, are there.
- `full`: all of it.
- `off`: there are no traces.

Without a tracking server (MLFLOW_TRACKING_URI, or a workspace's own) there are none either, and MLflow is not imported.
MLflow's own spans, of a `ResponsesAgent` and of autologging, are not made: see `agent.serving`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage

from agent.provenance import sources_of
from checkpointer.labels import labels_of

if TYPE_CHECKING:
    from langchain_core.outputs import LLMResult
    from mlflow.entities import LiveSpan

    from agent.settings import Settings

# Each says that somebody keeps traces.
_BACKENDS = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACING_DESTINATION", "DATABRICKS_RUNTIME_VERSION")
_ERROR = "ERROR"
# What tools bring is derived from tables, and the instructions are the same in every span.
_NEVER = (ToolMessage, SystemMessage)


class Tracer:
    """Traces the turns of one conversation, one after the other.

    Args:
        session: Its thread id.
        user: The principal's name.
        full: Whether spans hold what was derived from tables.
        sampling: The part of the turns that is traced, from 0 to 1.
        parent: A span of somebody else's trace that the turns belong to; without, each has a trace of its own.
    """

    def __init__(self, session: str, user: str, *, full: bool, sampling: float, parent: LiveSpan | None = None) -> None:
        self._names = {"mlflow.trace.session": session, "mlflow.trace.user": user}
        self._full = full
        self._sampling = sampling
        self._parent = parent
        self._turn: TurnTrace | None = None

    @property
    def trace_id(self) -> str | None:
        """The id of the latest turn's trace, if it has one."""
        return None if self._turn is None else self._turn.trace_id

    def begin(self, given: Any) -> TurnTrace | None:
        """Begin the trace of a turn; None where it is not sampled."""
        self._turn = None
        if random.random() < self._sampling:  # noqa: S311 - nothing is kept secret by it
            question = given["messages"][-1].text if isinstance(given, dict) else None
            self._turn = TurnTrace(question, self._names, full=self._full, parent=self._parent)
        return self._turn


class TurnTrace(BaseCallbackHandler):
    """The trace of one turn, as LangChain tells what happens. Threads may share it."""

    def __init__(
        self, question: str | None, names: dict[str, str], *, full: bool, parent: LiveSpan | None = None
    ) -> None:
        self._full = full
        # What is said after a table was read is derived from it.
        self._derived = False
        asked = {"resumed": True} if question is None else {"question": question}
        self._root = _span("turn", "AGENT", parent, asked, names)
        self._spans: dict[UUID, LiveSpan] = {}
        self._ours: set[UUID] = set()

    @property
    def trace_id(self) -> str:
        """Its id."""
        return str(self._root.trace_id)

    def answered(self, answer: BaseMessage) -> None:
        """Take the turn's answer."""
        self._root.set_outputs(self._shown(answer, derived=self._derived))

    def end(self, error: BaseException | None) -> None:
        """End it, with what the turn failed of, if it did."""
        for run_id in list(self._ours):
            self._end(run_id, {}, error)
        _close(self._root, error, full=self._full)

    # --- what LangChain tells -------------------------------------------------------------------------------------

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A node begins, or a runnable inside of one, which is passed over."""
        name = kwargs.get("name")
        if name and name == (metadata or {}).get("langgraph_node"):
            self._begin(run_id, parent_run_id, str(name), "CHAIN", {})
        else:
            self._spans[run_id] = self._parent(parent_run_id)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A node is done."""
        self._end(run_id, {}, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A node failed."""
        self._end(run_id, {}, error)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """The model is called."""
        prompt = [message for each in messages for message in each]
        self._derived = self._derived or bool(labels_of(prompt) or sources_of(prompt))
        name = str((metadata or {}).get("ls_model_name") or kwargs.get("name") or "model")
        self._begin(run_id, parent_run_id, name, "CHAT_MODEL", {"messages": [self._shown(each) for each in prompt]})
        if tools := (kwargs.get("invocation_params") or {}).get("tools"):
            self._spans[run_id].set_attribute("mlflow.chat.tools", tools)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """The model has answered."""
        said = [getattr(each, "message", None) for each in response.generations[0]]
        answers = [each for each in said if isinstance(each, AIMessage)]
        span = self._spans.get(run_id)
        for used in (each.usage_metadata for each in answers if each.usage_metadata):
            if span is not None:
                span.set_attribute("mlflow.chat.tokenUsage", _usage(used))
        shown = [self._shown(each, derived=self._derived) for each in answers]
        self._end(run_id, {"messages": shown}, None)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """The model failed."""
        self._end(run_id, {}, error)

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool is called."""
        given = {name: value for name, value in (inputs or {}).items() if name != "runtime"}
        shown = {name: self._text(str(value), derived=self._derived) for name, value in given.items()}
        self._begin(run_id, parent_run_id, str((serialized or {}).get("name") or "tool"), "TOOL", shown)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has answered."""
        span = self._spans.get(run_id)
        if isinstance(output, ToolMessage):
            self._derived = True
            if span is not None:
                span.set_attribute("statement", output.response_metadata.get("statement") or output.tool_call_id)
            self._end(run_id, self._shown(output), None)
            return
        self._end(run_id, {}, None)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool failed."""
        self._end(run_id, {}, error)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, run_id: UUID, parent: UUID | None, name: str, kind: str, inputs: dict[str, Any]) -> None:
        self._spans[run_id] = _span(name, kind, self._parent(parent), inputs, {})
        self._ours.add(run_id)

    def _parent(self, parent: UUID | None) -> LiveSpan:
        return self._root if parent is None else self._spans.get(parent, self._root)

    def _end(self, run_id: UUID, outputs: dict[str, Any], error: BaseException | None) -> None:
        span = self._spans.pop(run_id, None)
        if span is None or run_id not in self._ours:
            return
        self._ours.discard(run_id)
        if outputs:
            span.set_outputs(outputs)
        _close(span, error, full=self._full)

    def _shown(self, message: BaseMessage, *, derived: bool = False) -> dict[str, Any]:
        """Return a message as a span may hold it; what it carries itself says that it is derived as well."""
        derived = derived or isinstance(message, _NEVER) or bool(labels_of(message) or sources_of([message]))
        shown: dict[str, Any] = {"role": message.type, "content": self._text(message.text, derived=derived)}
        if isinstance(message, AIMessage) and message.tool_calls:
            shown["tool_calls"] = [
                {"name": call["name"], "args": self._text(str(call["args"]), derived=derived)}
                for call in message.tool_calls
            ]
        sources = sources_of([message])
        return shown | ({"sources": sources} if sources else {})

    def _text(self, text: str, *, derived: bool) -> Any:
        return text if self._full or not derived else {"characters": len(text)}


@contextmanager
def traced(tracer: Tracer | None, given: Any) -> Iterator[TurnTrace | None]:
    """Trace what happens inside, where there is a tracer and the turn is sampled; `given` is the graph's input."""
    trace = None
    # A turn is answered, whatever keeps traces.
    with suppress(Exception):
        trace = None if tracer is None else tracer.begin(given)
    failed: BaseException | None = None
    try:
        yield trace
    except BaseException as error:
        failed = error
        raise
    finally:
        if trace is not None:
            with suppress(Exception):
                trace.end(failed)


def keeps_traces(settings: Settings) -> bool:
    """Tell whether somebody keeps traces, and they are wanted."""
    wanted = settings.traces != "off" and any(map(os.environ.get, _BACKENDS))
    return wanted and find_spec("mlflow") is not None


def tracer_of(settings: Settings, session: str, user: str) -> Tracer | None:
    """Return what traces the turns of a conversation; None where nobody keeps traces, or they are not wanted."""
    if not settings.trace_sampling or not keeps_traces(settings):
        return None
    return Tracer(session, user, full=settings.traces == "full", sampling=settings.trace_sampling)


def flush() -> None:
    """Wait until what was traced is kept."""
    import sys

    if (mlflow := sys.modules.get("mlflow")) is not None:
        mlflow.flush_trace_async_logging()


def _span(name: str, kind: str, parent: LiveSpan | None, inputs: Any, names: dict[str, str]) -> LiveSpan:
    import mlflow  # slow, and not there on every laptop

    metadata = names if parent is None else None
    return mlflow.start_span_no_context(name, span_type=kind, parent_span=parent, inputs=inputs, metadata=metadata)


def _close(span: LiveSpan, error: BaseException | None, *, full: bool) -> None:
    if error is None:
        span.end()
        return
    # The text of an error may quote rows, and a key.
    span.set_attribute("error", f"{type(error).__name__}: {error}" if full else type(error).__name__)
    span.end(status=_ERROR)


def _usage(used: Any) -> dict[str, int]:
    return {name: used.get(name, 0) for name in ("input_tokens", "output_tokens", "total_tokens")}
