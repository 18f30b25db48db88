"""The JSON that the command line prints, and that HTTP routes answer with: one set of models."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from checkpointer.audit import Act

_SURROGATES = re.compile("[\ud800-\udfff]")


class Schema(BaseModel):
    """What all models share: lone surrogates, which no encoding knows, become U+FFFD."""

    @model_validator(mode="before")
    @classmethod
    def _encodable(cls, data: Any) -> Any:
        return encodable(data)


def encodable(value: Any) -> Any:
    """Return the value with U+FFFD for each lone surrogate in its texts."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [encodable(item) for item in value]
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    return value


class Withholding(Schema):
    """What stands in the place of something that its reader may not read now."""

    sources: list[str] = Field(description="The tables that are missing, as catalog.schema.table.")
    reason: str


class ToolUse(Schema):
    """One tool call of a turn."""

    id: str | None = Field(default=None, description="Its result in a session is the message with this tool_call_id.")
    name: str
    args: dict[str, Any] = Field(description="Empty where the call is withheld.")
    rows: int | None = Field(default=None, description="Rows returned; null where the tool returns none.")
    sources: list[str] = Field(default=[], description="Tables read, as catalog.schema.table.")
    status: Literal["success", "error", "pending", "waiting"] = Field(
        default="success", description="Pending where the turn was interrupted, waiting for somebody's approval."
    )
    withheld: Withholding | None = Field(default=None, description="The call, or what came of it, is withheld.")


class Answer(Schema):
    """The answer to one question."""

    session: str = Field(description="Its name; pass it as --session to go on.")
    owner: str | None = Field(default=None, description="Whose session it is, if not one's own; pass it as --owner.")
    answer: str = Field(description="The reason, where it is withheld.")
    withheld: Withholding | None = Field(default=None, description="What it was derived from may not be read any more.")
    tools: list[ToolUse]
    sources: list[str] = Field(description="Tables that the answer was derived from, over the whole prompt.")


class SessionInfo(Schema):
    """A session in a listing."""

    session: str
    title: str | None
    created_at: datetime
    updated_at: datetime
    checkpoints: int


class CheckpointInfo(Schema):
    """A checkpoint of a session."""

    checkpoint: str = Field(description="Its id; `mooring replay --from` begins there.")
    step: int
    source: str = Field(description="What made it: input, loop, update or fork.")
    next: list[str] = Field(description="The nodes that run next.")
    messages: int = Field(description="How many there are.")
    last: str = Field(description="The beginning of the last one.")
    created_at: datetime | None


class ShareInfo(Schema):
    """Whom a session is shared with."""

    session: str
    owner: str
    shared_with: str = Field(description="A person's name, or group: and the name of a group.")
    role: Literal["viewer", "editor"]
    shared_at: datetime


class Titled(Schema):
    """A session's other title."""

    title: str = Field(min_length=1, max_length=200)


class SharedWith(Schema):
    """Whom to share a session with."""

    shared_with: str = Field(
        min_length=1, max_length=261, description="A person's name, or group: and the name of a group."
    )
    role: Literal["viewer", "editor"] = "viewer"


class AuditEntry(Schema):
    """One act of a person's, as it was at its time."""

    at: datetime
    actor: str
    act: Act
    session: str
    owner: str
    counterpart: str | None = Field(description="Whom it was shared with or given to.")
    role: Literal["viewer", "editor"] | None = Field(description="What it was shared as.")
    reason: str | None = Field(description="Why something was withheld, or the glass broken.")
    statement: str | None = Field(description="Id of the query that read the tables.")
    tables: list[str] = Field(description="Tables that were read, or that the reader misses.")


class PrunedSession(Schema):
    """What a pruning deletes of a session, or would."""

    owner: str
    session: str
    used_at: datetime
    whole: bool = Field(description="The session goes, and not only older checkpoints.")
    checkpoints: int
    rows: int
    bytes: int = Field(description="Size of what the rows hold, compressed as it is stored.")
    blocked: Literal["legal hold", "a run is going"] | None = Field(description="Why it stays; null when it goes.")


class Erasure(Schema):
    """What an erasure deletes of a person, or would."""

    user: str
    dry_run: bool
    rows: dict[str, int] = Field(
        description="By table; of label_sets and labels those that nobody else's sessions have."
    )
    held: list[str] = Field(description="Sessions under legal hold, which stay.")


class HoldInfo(Schema):
    """A legal hold."""

    owner: str
    session: str
    reason: str
    placed_at: datetime
    placed_by: str = Field(description="The administrator's role.")


class Opinion(Schema):
    """What somebody thinks of a message."""

    rating: Literal["up", "down"]
    comment: str | None = Field(default=None, max_length=2000)


class Feedback(Opinion):
    """The same, as it is stored."""

    session: str
    owner: str | None = Field(default=None, description="Whose session it is, if not one's own.")
    message: str = Field(description="The message's id.")
    rated_at: datetime


class Message(Schema):
    """One message of a session."""

    id: str | None
    role: Literal["user", "assistant", "tool", "system"]
    content: str | None = Field(description="Null where it is withheld.")
    withheld: Withholding | None = None
    name: str | None = Field(default=None, description="The tool's name, for its results.")
    tool_calls: list[ToolUse] = []
    tool_call_id: str | None = None
    sources: list[str] = []
    feedback: Opinion | None = Field(default=None, description="What the reader said that they think of it.")


class Transcript(Schema):
    """A session with all of its messages, oldest first."""

    session: str
    owner: str | None = Field(default=None, description="Whose session it is, if not one's own.")
    title: str | None
    created_at: datetime
    updated_at: datetime
    unfinished: bool = Field(description="Its last turn was interrupted; the next question finishes it first.")
    messages: list[Message]


class Reason(Schema):
    """A table that a message was derived from, and whether you may read it now as it was read then."""

    source: str = Field(description="As catalog.schema.table.")
    seen: str = Field(description="What of the table was read.")
    expires_at: datetime | None = Field(description="When this runs out; null for what does not.")
    held: bool
    rule: str = Field(description="Why it is held, or not.")
    missing: list[str] = Field(description="Statements that would mend it.")
    grantors: list[str] = Field(description="Who could: owners of the table or its schema.")


class ExplainedMessage(Schema):
    """Why a message is shown or withheld. One without reasons was derived from no table."""

    number: int = Field(description="Its position in the session, from 0.")
    id: str | None
    role: Literal["user", "assistant", "tool", "system"] | None
    withheld: bool
    reasons: list[Reason]


class Explanation(Schema):
    """What `mooring why` prints."""

    session: str
    messages: list[ExplainedMessage]


class Check(Schema):
    """One line of `mooring doctor`."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


class DatabaseStatus(Schema):
    """The embedded database, as `mooring db status` shows it."""

    running: bool
    kept: bool = Field(description="It runs until `mooring db stop`, used or not.")
    version: str
    port: int | None
    pid: int | None
    data: str
    log: str
    bytes: int = Field(description="Size of the data folder.")


class EncryptedSession(Schema):
    """A session that `mooring db encrypt` encrypted, or would encrypt."""

    owner: str
    session: str
    rows: int = Field(description="Rows that were encrypted; with --dry-run or a hold, that would be.")
    blocked: str | None = Field(description="Why nothing more was encrypted: a legal hold, or a key that is missing.")


class RefusedThread(Schema):
    """A thread that `mooring db import` did not import."""

    thread: str
    owner: str | None = Field(description="Whom its checkpoints name; null for nobody, or for several.")
    reason: str
    allow: list[str] = Field(default=[], description="Classes that --allow would let through, as module:Class.")


class ImportReport(Schema):
    """What `mooring db import` did."""

    dry_run: bool
    imported: int = Field(description="Threads that are here now and were not before, or not as a whole.")
    present: int = Field(description="Threads that were here already.")
    left_out: int = Field(description="Threads of nobody that --owner names.")
    checkpoints: int = Field(description="Checkpoints of the imported threads, each read back and equal.")
    writes: int = Field(description="Pending writes of the imported threads.")
    refused: list[RefusedThread]


class Stopped(Schema):
    """What came of stopping a session's turn."""

    session: str
    stopped: bool = Field(description="Whether a turn was running, or interrupted, and is closed now.")


class LoggedModel(Schema):
    """What `mooring log-model` prints."""

    model_uri: str = Field(description="Pass it to mlflow.pyfunc.load_model, or `mlflow models serve -m`.")
    model_id: str
    commit: str | None = Field(description="The commit of the code, `-dirty` behind it where files differ.")
    registered: str | None = Field(description="Its name in the registry.")
    version: str | None
    alias: str | None


class ReplayedTurn(Schema):
    """One question of a session that was asked again."""

    question: str
    before: str | None = Field(description="What was said then; null where there is no answer that you may read.")
    after: str | None = Field(description="What is said now; null where the model failed.")
    same: bool
    diff: list[str] = Field(description="Lines that differ, those of then after - and those of now after +.")
    failure: str | None


class Replay(Schema):
    """What `mooring replay` prints."""

    session: str
    replay: str = Field(description="The session of its own that the answers are in.")
    model: str
    turns: list[ReplayedTurn]


class CreatedDataset(Schema):
    """What `mooring dataset create` prints."""

    file: str
    questions: int
    sessions: int = Field(description="That questions were taken from.")
    personal: int = Field(description="Questions that seem to have personal data; they say so in the file.")
    left_out: dict[str, int] = Field(description="Turns that were not taken, by reason.")
    registered: str | None = Field(description="Its name in MLflow.")
