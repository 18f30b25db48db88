"""The model without a network: it answers plain questions about any schema with real tool calls, or says it cannot.

It lists and describes tables and counts rows. Everything is derived from the messages that it is given, so it is
deterministic, and it never reads an instruction out of a tool's result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.runnables import Runnable

_QUALIFIED = re.compile(r'\b(\w+\.\w+)\b|(\w*\."[^"]+")')
_NO_TABLES = "This login may read no tables. Ask the owner of the data for SELECT on the tables that you need."


class OfflineChatModel(BaseChatModel):
    """A deterministic chat model that reads the catalog's live schema."""

    @property
    def _llm_type(self) -> str:
        return "mooring-offline"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Take the tools as given: it knows list_tables, describe_table and query."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_reply(messages))])


def _reply(messages: list[BaseMessage]) -> AIMessage:
    start = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
    question = messages[start].text
    results = [message for message in messages[start:] if isinstance(message, ToolMessage)]
    if not results:
        return _call(len(messages), "list_tables")
    last = results[-1]
    if last.status == "error":
        return AIMessage(last.text)
    tables = json.loads(results[0].text)["tables"]
    if last.name == "describe_table":
        return AIMessage(_described(json.loads(last.text)))
    if last.name == "query":
        return AIMessage(f"There are {json.loads(last.text)['rows'][0][0]} rows.")
    return _first_step(question, tables, len(messages))


def _first_step(question: str, tables: list[dict[str, Any]], position: int) -> AIMessage:
    words = question.lower()
    wanted = _table(question, tables)
    if wanted is None and re.search(r"\b(tables?|data|read)\b", words):
        return AIMessage(_listed(tables))
    if wanted is None:
        return AIMessage(_cannot(tables))
    if re.search(r"\b(describe|columns?|fields?)\b", words):
        return _call(position, "describe_table", table=wanted)
    if re.search(r"\b(how many|count|number of)\b", words) and not re.search(
        r"\b(with|in|by|per|for|of)\b", _rest(words)
    ):
        return _call(position, "query", sql=f"select count(*) from {wanted}")  # noqa: S608 - the guard and the database decide what runs
    return AIMessage(_cannot(tables))


def _rest(words: str) -> str:
    """Return the question without the phrases that select nothing."""
    return re.sub(r"number of|how many|rows (are )?in|are there|in total", " ", words)


def _table(question: str, tables: list[dict[str, Any]]) -> str | None:
    named = _QUALIFIED.search(question)
    if named:
        return named[0]
    words = set(re.findall(r"\w+", question.lower()))
    for table in tables:
        name = table["table"].split(".", 1)[1].strip('"').lower()
        if name in words or name.rstrip("s") in words:
            return str(table["table"])
    return None


def _call(position: int, name: str, **args: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call_{position}_0"}])


def _listed(tables: list[dict[str, Any]]) -> str:
    if not tables:
        return _NO_TABLES
    lines = [f"| {table['table']} | {_cell(table['comment'])} |" for table in tables]
    return "\n".join(["You can read these tables:", "", "| table | about |", "| --- | --- |", *lines])


def _described(table: dict[str, Any]) -> str:
    lines = [f"| {_cell(c['name'])} | {_cell(c['type'])} | {_cell(c['comment'])} |" for c in table["columns"]]
    return "\n".join(
        [f"{table['table']} is a {table['kind']}:", "", "| column | type | about |", "| --- | --- | --- |", *lines]
    )


def _cannot(tables: list[dict[str, Any]]) -> str:
    if not tables:
        return _NO_TABLES
    name = tables[0]["table"]
    return f'I cannot answer that. I can answer, for instance: "which tables can I read?" or "describe {name}".'


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())
