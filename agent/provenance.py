"""Which tables a message was derived from.

A tool result names the tables it was read from. An answer is derived from everything in its prompt, so it carries the
union: information-flow tracking, conservative on purpose. What people say carries nothing. The names travel in
`message.response_metadata["sources"]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

M = TypeVar("M", bound=BaseMessage)


def sources_of(messages: Iterable[BaseMessage]) -> list[str]:
    """Return the tables that the messages were derived from, sorted, as `catalog.schema.table`."""
    derived = (m for m in messages if isinstance(m, AIMessage | ToolMessage))
    return sorted({source for message in derived for source in message.response_metadata.get("sources", ())})


def derived_from(answer: M, prompt: Sequence[BaseMessage]) -> M:
    """Return the answer with the sources of its prompt, whatever the model claimed itself."""
    return answer.model_copy(update={"response_metadata": {**answer.response_metadata, "sources": sources_of(prompt)}})
