"""Turns of one session: ask, follow what happens, finish what was interrupted.

A turn holds the session's lease: two at once take turns, and one that lost its lease stores nothing more.

A turn is run with `durability="sync"`: each node's checkpoint is committed before the next node starts. What a killed
process left unfinished is finished first when its owner next asks, from the last finished node; a tool call whose
result was stored is not run again. A turn whose model or tool fails is closed with a note, so that the next question is
not held up by it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, ToolMessage
from langgraph.errors import GraphRecursionError
from langgraph.graph import START
from langgraph.types import Command

from agent.answers import answer_of, is_answered, messages_in, title_of, tool_uses, waiting_at
from agent.approvals import ApprovalError, calls_waiting
from agent.errors import TurnError
from agent.graph import TurnContext
from agent.schemas import Answer, ToolUse, encodable
from agent.steps import Steps, StoppedError
from agent.tracing import traced
from checkpointer import StaleLeaseError, ThreadNotFoundError, acting_as

if TYPE_CHECKING:
    from langgraph.graph import MessagesState
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import StateSnapshot

    from agent.identity import Proven
    from agent.tracing import Tracer, TurnTrace
    from checkpointer import GovernedPostgresSaver, Run
    from checkpointer.leases import OnBusy
    from tools import Catalog

_STOPPED = "Stopped before the answer was finished."
# Calls of the model in one turn, each of which may ask for several tools.
_MOST_CALLS = 25
_ENDLESS = "The model went on asking for tools; this was not answered."
_NOT_APPROVED = "This was not approved: another question was asked."
_FAILED = "The model or a tool failed; this was not answered."
NOTES = frozenset((_STOPPED, _ENDLESS, _NOT_APPROVED, _FAILED))
"""What stands in a session for an answer that there is none of."""
ENDED = frozenset((_STOPPED, _NOT_APPROVED))
"""Those of turns that somebody ended."""


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The model asked for a tool, which now runs."""

    call_id: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool's result is stored."""

    message: ToolMessage


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of what the model says, as it produces it."""

    text: str
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """The model has said something, with or without tool calls, and it is stored."""

    message: AIMessage


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer is stored, and the turn is over."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tool call waits for approval, and the turn with it."""

    use: ToolUse


@dataclass(frozen=True, slots=True)
class Resumed:
    """An interrupted turn is finished first."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An interrupted turn failed again, and is closed without an answer."""

    error: TurnError


Event = ToolStarted | ToolFinished | Token | Said | Waiting | Answered | Resumed | GivenUp


class Conversation:
    """One session of one caller. Every call is made as them: their login for memory, their login for data.

    Args:
        owner: Whose session it is, where somebody shares it with the caller as an editor.
        seconds: How long a turn may take; None for as long as it takes.
        tracer: Traces its turns.
    """

    def __init__(
        self,
        graph: CompiledStateGraph[MessagesState, TurnContext, MessagesState, MessagesState],
        saver: GovernedPostgresSaver,
        caller: Proven,
        catalog: Catalog,
        session: str,
        owner: str | None = None,
        seconds: float | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.session = session
        self.owner = None if owner == caller.principal.name else owner
        self._graph = graph
        self._saver = saver
        self._caller = caller
        self._context = TurnContext(catalog)
        self._seconds = seconds
        self._tracer = tracer
        self._title: str | None = None
        self._steps: Steps[Any] | None = None
        self._held: Run | None = None
        self._turn_now: object | None = None
        self._turn_left: object | None = None
        self.stopping = False
        """Whether somebody has stopped a turn of it, instead of leaving it for later."""
        named = {"thread_id": session} if self.owner is None else {"thread_id": session, "thread_owner": self.owner}
        self._config: Any = {"configurable": named, "recursion_limit": 2 * _MOST_CALLS}

    @property
    def reader(self) -> str:
        """The name of its caller."""
        return self._caller.principal.name

    @property
    def trace_id(self) -> str | None:
        """The id of the latest turn's trace, if it has one."""
        return None if self._tracer is None else self._tracer.trace_id

    def messages(self) -> list[AnyMessage]:
        """Return the session's messages, oldest first."""
        return self._messages_at(self._state())

    def unfinished(self) -> bool:
        """Tell whether the last turn was interrupted."""
        return bool(self._state().tasks)

    def waiting(self) -> list[ToolUse]:
        """Return the tool calls that wait for approval."""
        return waiting_at(self._state())

    def decide(self, decisions: Mapping[str, bool]) -> Iterator[Event]:
        """Approve calls that wait, or refuse them, and go on with the turn. Ends with `Answered`.

        Args:
            decisions: By the calls' ids; the others wait on.

        Raises:
            ApprovalError: No such call waits, or the caller may not see what it asks for.
            TurnError, TimeoutError, ThreadBusyError, ViewerError, ThreadNotFoundError: As of `ask`.
        """
        with self._going() as run:
            state = self._state()
            interrupts = calls_waiting(state)
            for call in decisions:
                if call not in interrupts:
                    raise _undecidable(call, tool_uses(messages_in(state)))
            yield from self._run(run, Command(resume={interrupts[call]: yes for call, yes in decisions.items()}))

    def finish(self) -> Iterator[Event]:
        """Finish an interrupted turn; nothing happens where there is none.

        Raises:
            TurnError: The model or a tool failed. The turn is closed without an answer.
            ThreadBusyError: Another run holds the session, and did not give it up in time.
            ViewerError, ThreadNotFoundError: It is another's, and shared for reading only, or not.
        """
        with self._going() as run:
            yield from self._finish(run, self._state())

    def ask(
        self,
        question: str,
        check: Callable[[list[AnyMessage]], None] | None = None,
        message_id: str | None = None,
    ) -> Iterator[Event]:
        """Ask a question, an interrupted turn is finished before, or given up. Ends with `Answered`.

        A call that waits for approval is not approved by another question: its turn is closed.

        Args:
            question: The person's words.
            check: Looks at the session's messages when no other turn can add to them, and raises what is to end this
                one before anything is stored.
            message_id: What the question is stored as; the session has no other message of that id.

        Raises:
            TurnError: The model or a tool failed. The question stays in the session, without an answer.
            TimeoutError: The turn took too long. What it found is stored, and the next question finishes it first.
            ThreadBusyError: Another run holds the session, and did not give it up in time.
            ViewerError, ThreadNotFoundError: It is another's, and shared for reading only, or not.
        """
        with self._going() as run:
            # Nobody else stores anything now: one look tells all.
            state = self._state()
            if check is not None:
                check(self._messages_at(state))
            if waiting_at(state):
                self._close(run, _NOT_APPROVED)
            else:
                try:
                    yield from self._finish(run, state)
                except TurnError as error:
                    yield GivenUp(error)
            question = encodable(question)
            self._title = None if self.owner or messages_in(state) else title_of(question)
            try:
                asked = HumanMessage(question, id=message_id or str(uuid4()))
                for event in self._run(run, {"messages": [asked]}):
                    # The first event comes after the first checkpoint, so that there is a session to name.
                    self._name()
                    yield event
            except TurnError:
                self._name()
                raise

    def stop(self, *, anywhere: bool = False) -> bool:
        """Stop a turn of this conversation half-way, a running query included, and close it. From any thread.

        What it found is kept, what was still to do is marked as stopped.

        Args:
            anywhere: Stop the session's turn whoever runs it. One of another process ends when it has something to
                store: it cannot any more.

        Returns:
            Whether there was one.
        """
        self.stopping = True
        self.leave()
        with self._turn("take" if anywhere else "wait") as run:
            closed = self._close(run, _STOPPED)
            if closed:
                self._name()
        return closed

    def leave(self) -> None:
        """Leave a turn where it is, for whoever asks next, in any process, to finish. From any thread."""
        # One that is about to begin looks whether it is to.
        self._turn_left = self._turn_now
        steps, held = self._steps, self._held
        if steps is not None:
            steps.stop()
            if held is not None:
                held.release()

    @contextmanager
    def _going(self) -> Iterator[Run]:
        """Hold the session's lease for a turn that can be stopped."""
        self._turn_now = object()
        with self._turn() as run:
            self._held = run
            run.when_lost = self.leave
            try:
                yield run
            except StoppedError:
                if run.lost and not self.stopping:
                    raise StaleLeaseError(self.session) from None
                raise
            finally:
                self._held = self._turn_now = None

    @contextmanager
    def _turn(self, on_busy: OnBusy = "wait") -> Iterator[Run]:
        """Hold the session's lease; another turn is waited for, or ended."""
        with acting_as(self._caller.principal):
            run = self._saver.run(self._config, on_busy=on_busy)
            run.acquire()
        try:
            yield run
        finally:
            run.release()

    def _name(self) -> None:
        """Give a new session its title, where nobody has done so yet."""
        if self._title is not None:
            # One that was deleted meanwhile is told of by what the turn stores next.
            with acting_as(self._caller.principal), suppress(ThreadNotFoundError):
                self._saver.rename(self.session, self._title, if_untitled=True)
            self._title = None

    def _close(self, run: Run, note: str) -> bool:
        """Close a turn half-way: what it found is kept, and the note stands where a result or the answer would be.

        Returns:
            Whether there was one.
        """
        with acting_as(self._caller.principal), run.bound():
            state = self._graph.get_state(self._config)
            if not state.tasks:
                return False
            finished = [m for task in state.tasks for m in (task.result or {}).get("messages", [])]
            messages: list[AnyMessage] = [*messages_in(state), *finished]
            answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
            last = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
            dangling = [call for call in (last.tool_calls if last else []) if call["id"] not in answered]
            unanswered = [
                ToolMessage(note, tool_call_id=call["id"] or "", name=call["name"], status="error") for call in dangling
            ]
            update = {"messages": [*self._begun(state), *finished, *unanswered, AIMessage(note, id=str(uuid4()))]}
            self._graph.update_state(self._config, update, as_node="model")
            return True

    def _state(self) -> StateSnapshot:
        with acting_as(self._caller.principal):
            return self._graph.get_state(self._config)

    def _messages_at(self, state: StateSnapshot) -> list[AnyMessage]:
        """Return the messages of a state, and the question of a turn that got no further than that."""
        return [*messages_in(state), *self._begun(state)]

    def _begun(self, state: StateSnapshot) -> list[AnyMessage]:
        """Return what a turn was begun with whose process ended before it was put among the messages."""
        if START not in state.next:
            return []
        with acting_as(self._caller.principal):
            found = self._saver.get_tuple(state.config)
        given = found.checkpoint["channel_values"].get(START) if found else None
        return list(given.get("messages", [])) if isinstance(given, dict) else []

    def _finish(self, run: Run, state: StateSnapshot) -> Iterator[Event]:
        # Not `next`: that leaves out tasks whose results are stored while the step's checkpoint is not.
        if state.tasks:
            yield Resumed()
            pending = [use for use in tool_uses(messages_in(state)) if use.status == "pending"]
            yield from (ToolStarted(use.id or "", use.name, use.args) for use in pending)
            yield from self._run(run, None)

    def _look_whether_left(self) -> None:
        if self._turn_now is not None and self._turn_left is self._turn_now:
            raise StoppedError

    def _run(self, run: Run, given: Any) -> Iterator[Event]:
        with traced(self._tracer, given) as trace:
            messages = yield from self._steps_of(run, given, trace)
            waiting: list[ToolUse] = []
            if not is_answered(messages):
                state = self._state()
                messages, waiting = messages_in(state), waiting_at(state)
            if trace is not None:
                trace.answered(messages[-1])
        yield from map(Waiting, waiting)
        yield Answered(answer_of(self.session, messages, self.owner, waiting))

    def _steps_of(self, run: Run, given: Any, trace: TurnTrace | None) -> Generator[Event, None, list[AnyMessage]]:
        """Run the graph; return the messages that the session has then."""
        self._look_whether_left()
        messages: list[AnyMessage] = []
        config, context = self._config, self._context
        if trace is not None:
            config, context = {**config, "callbacks": [trace]}, TurnContext(context.catalog, trace.trace_id)
        stream: Any = self._graph.stream(
            given, config, context=context, stream_mode=["updates", "messages", "values"], durability="sync"
        )
        # Principal and lease are bound in the steps' context, and not for the caller between them.
        with acting_as(self._caller.principal), run.bound():
            self._steps = steps = Steps[tuple[str, Any]](stream, self._context.catalog.cancel, self._seconds)
        try:
            self._look_whether_left()
            for mode, payload in steps:
                if mode == "values":
                    messages = payload.get("messages", messages)
                else:
                    yield from _events(mode, payload)
            return messages
        except TurnError:
            steps.stop()
            self._close(run, _FAILED)
            raise
        except GraphRecursionError:
            steps.stop()
            self._close(run, _ENDLESS)
            problem = f"The model asked for tools {_MOST_CALLS} times and did not answer"
            raise TurnError(
                problem, "ask for less at once, or choose another model with --model or MOORING_MODEL"
            ) from None
        finally:
            steps.stop()
            self._steps = None


def _undecidable(call: str, uses: list[ToolUse]) -> ApprovalError:
    if any(use.id == call and use.status == "pending" and use.withheld for use in uses):
        return ApprovalError(f"What the call {call!r} asks for is withheld from you", "leave it to who may read it")
    return ApprovalError("No call of that id waits in this session", "look at it with `mooring sessions show`")


def _events(mode: str, payload: Any) -> Iterator[Event]:
    if mode == "messages":
        chunk, where = payload
        if where.get("langgraph_node") == "model" and isinstance(chunk, AIMessageChunk) and chunk.text:
            yield Token(chunk.text, chunk.id)
        return
    for update in payload.values():
        for message in (update or {}).get("messages", []) if isinstance(update, dict) else []:
            if isinstance(message, AIMessage):
                yield Said(message)
                yield from (ToolStarted(c["id"] or "", c["name"], c["args"]) for c in message.tool_calls)
            elif isinstance(message, ToolMessage):
                yield ToolFinished(message)
