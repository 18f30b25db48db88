"""The stand-in's Genie: a space knows the SQL of questions, and runs it as whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.databricks.workspace import RefusedError

if TYPE_CHECKING:
    from tests.databricks.warehouse import Statement, Warehouse
    from tests.databricks.workspace import Call, Workspace

SPACE = "01ef5e"


@dataclass(eq=False)
class Asked:
    """A question, and what became of it."""

    user: str
    content: str
    polls: int = 0
    statement: Statement | None = None
    attachments: list[dict[str, Any]] = field(default_factory=list)


class Genie:
    """Adds its routes to a workspace. There is one space, which alice and bob may ask."""

    def __init__(self, workspace: Workspace, warehouse: Warehouse) -> None:
        self.people = {"alice", "bob"}
        self.answers: dict[str, str] = {}
        """What it writes to a question: SQL, or other words. Before SQL in a list stands what it tries first."""
        self.status = "COMPLETED"
        """What becomes of a message."""
        self.asked: list[Asked] = []
        self._warehouse = warehouse
        base = f"/api/2.0/genie/spaces/{SPACE}"
        workspace.route("GET", "/api/2.0/genie/spaces/{}", self._space)
        workspace.route("POST", f"{base}/start-conversation", self._start)
        workspace.route(
            "GET", f"{base}/conversations/{{}}/messages/{{}}", lambda call: self._message(self._found(call))
        )
        workspace.route(
            "GET", f"{base}/conversations/{{}}/messages/{{}}/attachments/{{}}/query-result", self._query_result
        )

    def _space(self, call: Call) -> Any:
        if call.parts[0] != SPACE:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"Unable to get space [{call.parts[0]}].")
        self._admit(call)
        return {"space_id": SPACE, "title": "Shops", "description": "Sales and reviews", "warehouse_id": "stand-in"}

    def _admit(self, call: Call) -> None:
        if call.user.name not in self.people:
            raise RefusedError(403, "PERMISSION_DENIED", f'You need "Can View" permission on the space {SPACE}.')

    def _start(self, call: Call) -> Any:
        self._admit(call)
        content = call.request.body["content"]
        asked = Asked(call.user.name, content)
        self.asked.append(asked)
        *tried, written = self.answers.get(content, "That is not among my questions.").split(" -- then -- ")
        for i, text in enumerate([*tried, written]):
            if text.lower().startswith("select"):
                query = {"query": text, "description": f"Answers {content!r}", "id": f"q{i}"}
                asked.attachments.append({"attachment_id": f"a{i}", "query": query})
        if asked.attachments:
            asked.statement = self._warehouse.begin(call.user.name, {"statement": written})
        asked.attachments.append({"attachment_id": "t", "text": {"content": f"In words: {written}"}})
        number = str(self.asked.index(asked))
        return {"conversation_id": f"c{number}", "message_id": number, "message": self._message(asked)}

    def _found(self, call: Call) -> Asked:
        asked = self.asked[int(call.parts[1])]
        if asked.user != call.user.name:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", "The message was not found.")
        return asked

    def _message(self, asked: Asked) -> dict[str, Any]:
        asked.polls += 1
        number = str(self.asked.index(asked))
        told = {"space_id": SPACE, "conversation_id": f"c{number}", "message_id": number, "content": asked.content}
        if asked.polls < 3:
            return told | {"status": "EXECUTING_QUERY" if asked.polls == 2 else "ASKING_AI"}
        if self.status == "COMPLETED":
            return told | {"status": self.status, "attachments": asked.attachments}
        return told | {
            "status": self.status,
            "error": {"type": "SQL_EXECUTION_EXCEPTION", "error": "'xyzzy' is no int"},
        }

    def _query_result(self, call: Call) -> Any:
        asked = self._found(call)
        assert asked.statement is not None
        asked.statement.done.wait(10)
        return {"statement_response": self._warehouse.shown(asked.statement)}
