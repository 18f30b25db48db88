"""A conversation as HTML: what was asked, the tools with what they returned, and the answer.

Nothing that a person, a model or a table says becomes markup of its own, nor an address that a browser would open:
answers are Markdown without HTML, links and images.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from agent.notebook.listing import table_html

if TYPE_CHECKING:
    from agent.schemas import Message, ToolUse, Transcript

_ROWS = 10
_BOX = "border-left:3px solid {};padding:2px 10px;margin:6px 0;max-width:60em"
_ASKED, _SAID, _WITHHELD = (_BOX.format(colour) for colour in ("#3367d6", "#3a9d5d", "#c33"))


def transcript_html(transcript: Transcript) -> str:
    """Return a session."""
    shown = messages_html(transcript.messages)
    note = "<p><i>The last turn was interrupted; the next question finishes it first.</i></p>"
    return f"<div><b>{escape(transcript.title or transcript.session)}</b>{shown}{note * transcript.unfinished}</div>"


def messages_html(messages: list[Message]) -> str:
    """Return messages, oldest first."""
    results = {message.tool_call_id: message for message in messages if message.role == "tool"}
    parts = []
    for message in messages:
        if message.role == "tool":
            continue
        if message.withheld:
            parts.append(f'<div style="{_WITHHELD}">{escape(message.withheld.reason)}</div>')
        elif message.content and message.role == "user":
            parts.append(f'<div style="{_ASKED}"><b>{escape(message.content)}</b></div>')
        elif message.content:
            parts.append(f'<div style="{_SAID}">{_markdown().render(message.content)}</div>')
        parts += [_tool(use, results.get(use.id)) for use in message.tool_calls]
    return "".join(parts)


def messages_text(messages: list[Message]) -> str:
    """Return messages as text, oldest first."""
    lines = []
    for message in messages:
        text = message.withheld.reason if message.withheld else message.content
        if message.role == "user":
            lines.append(f"> {text}")
        elif message.role != "tool":
            lines += [f"· {use.name} {' '.join(map(str, use.args.values()))}".rstrip() for use in message.tool_calls]
            lines += [text] if text else []
    return "\n".join(lines)


def _tool(use: ToolUse, result: Message | None) -> str:
    came = "…" if result is None else "" if use.rows is None else f" → {use.rows} row{'' if use.rows == 1 else 's'}"
    said = " ".join(map(str, use.args.values()))
    head = f"<summary><code>{escape(use.name)}</code>{came}</summary>"
    asked = f"<pre>{escape(said)}</pre>" if said else ""
    return f'<details style="margin:4px 14px">{head}{asked}{_result(use, result)}</details>'


def _result(use: ToolUse, result: Message | None) -> str:
    if result is None:
        return "<i>not yet</i>"
    if result.withheld:
        return f"<i>{escape(result.withheld.reason)}</i>"
    text = result.content or ""
    found: Any = None
    if use.status == "success":
        try:
            found = json.loads(text)
        except ValueError:
            found = None
    if not isinstance(found, dict):
        return f"<pre>{escape(text[:2000])}</pre>"
    if "rows" in found and "columns" in found:
        more = f"<i>… {len(found['rows']) - _ROWS} more</i>" if len(found["rows"]) > _ROWS else ""
        return table_html(found["columns"], found["rows"][:_ROWS]) + more
    listed = [(each["table"], each.get("comment")) for each in found.get("tables", ())]
    columns = [(each["name"], each["type"], each.get("comment")) for each in found.get("columns", ())]
    if listed:
        return table_html(("table", "about"), listed)
    return table_html(("column", "type", "about"), columns) if columns else ""


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink", "reference"])
