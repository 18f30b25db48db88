"""Traces of turns: who asked what in which session, and of what tables hold nothing at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import mlflow
import pytest
from mlflow.entities import Trace
from mlflow.types.responses import ResponsesAgentRequest

from agent.errors import TurnError
from agent.host import open_host
from agent.identity import log_in
from agent.serving import MooringAgent
from agent.settings import Settings
from tests.serving.provider.langchain_ollama import SECRET
from tests.serving.served import PATIENT, PROVIDER, app_of, asked, events_in, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from agent.database import Database
    from tests.databricks.stand_in import StandIn

SQL = "select max(name) from bakehouse.suppliers"
QUESTION = f"query: {SQL}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A trace store as it is when nothing was traced."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


@pytest.fixture
def store(template: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A trace store of the test's own, which is the configured one: the database, and the files that spans are in."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    path.write_bytes(template)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("update experiments set artifact_location = ?", [(path.parent / "artifacts").as_uri()])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    yield path.parent
    mlflow.flush_trace_async_logging()
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # "not set"


@pytest.fixture
def canary(admin: psycopg.Connection) -> str:
    """What the question's answer is, and stands in the table alone."""
    [(name,)] = admin.execute(SQL.encode()).fetchall()
    return str(name)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROVIDER)
    monkeypatch.setenv("MOORING_MODEL", "ollama:any")


def kept(store: Path) -> bytes:
    """All that is in the store."""
    mlflow.flush_trace_async_logging()
    return b"".join(path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file())


def traces(session: str) -> list[Trace]:
    mlflow.flush_trace_async_logging()
    found = mlflow.search_traces(
        locations=["0"], filter_string=f"metadata.`mlflow.trace.session` = '{session}'", return_type="list"
    )
    assert isinstance(found, list)
    return sorted(found, key=lambda trace: trace.info.timestamp_ms)


def ask(lakehouse: Database, session: str, *questions: str) -> None:
    with open_host(Settings()) as host, host.conversation(log_in(lakehouse, "alice"), session) as conversation:
        for question in questions:
            list(conversation.ask(question))


def test_a_server_traces_turns_without_what_tables_hold(
    lakehouse: Database, store: Path, canary: str, session: str, tmp_path: Path
) -> None:
    with served(tmp_path, **PATIENT) as server:
        header = {"x-mlflow-return-trace-id": "true"}
        first = server.post("alice", asked(QUESTION, session), **header).json()
        assert canary in str(first["output"])
        events = events_in(server.post("alice", asked("and now?", session, stream=True), **header).text)
        failed = server.post("alice", asked("unreachable", session))
        assert failed.status_code == 502
        log = server.log
        server.end()
    one, two, three = traces(session)
    assert first["metadata"]["trace_id"] == one.info.trace_id
    assert events[-1]["response"]["metadata"]["trace_id"] == two.info.trace_id
    assert one.info.trace_metadata["mlflow.trace.user"] == "alice"
    spans = {span.name: span for span in one.data.spans}
    assert set(spans) == {"turn", "model", "any", "tools", "query"}
    by_id = {span.span_id: span.name for span in one.data.spans}
    above = {(by_id.get(span.parent_id or "", ""), span.name) for span in one.data.spans}
    assert above == {("", "turn"), ("turn", "model"), ("model", "any"), ("turn", "tools"), ("tools", "query")}
    assert spans["query"].attributes["statement"].startswith("c")
    assert spans["query"].outputs["sources"] == ["lakehouse.bakehouse.suppliers"]
    assert set(spans["query"].outputs["content"]) == {"characters"}
    assert spans["turn"].inputs == {"question": QUESTION}
    assert spans["turn"].outputs["sources"] == ["lakehouse.bakehouse.suppliers"]
    assert (two.info.state, three.info.state) == ("OK", "ERROR")
    everything = kept(store) + log.encode()
    assert canary.encode() not in everything
    assert SECRET.encode() not in everything


def test_a_statement_of_unity_catalog_names_the_trace(
    lakehouse: Database, stand_in: StandIn, store: Path, session: str, tmp_path: Path
) -> None:
    with served(tmp_path, **app_of(stand_in, lakehouse), **PATIENT) as app:
        question = "query: select count(*) from lakehouse.bakehouse.suppliers"
        headers = {"x-forwarded-access-token": stand_in.workspace.token("alice")}
        traced = app.post(None, asked(question, session), **headers, **{"x-mlflow-return-trace-id": "true"}).json()
        app.end()
    [sent] = stand_in.workspace.sent("/sql/statements$")
    assert {"key": "trace", "value": traced["metadata"]["trace_id"]} in sent.body["query_tags"]
    [trace] = traces(session)
    [query] = [span for span in trace.data.spans if span.name == "query"]
    assert list(stand_in.warehouse.statements) == [query.attributes["statement"]]


@pytest.mark.usefixtures("model")
def test_all_of_it_is_there_where_that_is_set(
    lakehouse: Database, store: Path, canary: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORING_TRACES", "full")
    ask(lakehouse, session, QUESTION)
    [trace] = traces(session)
    assert canary in trace.data.spans[0].outputs["content"]


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    "given", [{"MOORING_TRACES": "off"}, {"MOORING_TRACE_SAMPLING": "0"}, {"MLFLOW_TRACKING_URI": ""}]
)
def test_nothing_is_traced_where_that_is_set(
    lakehouse: Database, store: Path, session: str, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    ask(lakehouse, session, QUESTION)
    assert traces(session) == []


@pytest.mark.usefixtures("model")
def test_a_part_of_the_turns_is_traced(
    lakehouse: Database, store: Path, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORING_TRACE_SAMPLING", "0.5")
    ask(lakehouse, session, *(f"hello {i}" for i in range(24)))
    assert 2 <= len(traces(session)) <= 22


@pytest.mark.usefixtures("model")
def test_the_model_of_mlflow_makes_no_traces_of_its_own(
    lakehouse: Database, store: Path, canary: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORING_USER", "alice")
    agent = MooringAgent()
    try:
        request = ResponsesAgentRequest(**asked(QUESTION, session))
        assert canary in str(agent.predict(request).output)
        again: list[Any] = list(agent.predict_stream(ResponsesAgentRequest(**asked(QUESTION, uuid4().hex))))
        assert canary in str(again)
    finally:
        agent.close()
    assert len(traces(session)) == 1
    assert len(mlflow.search_traces(locations=["0"], return_type="list")) == 2
    assert canary.encode() not in kept(store)


@pytest.mark.usefixtures("model")
def test_what_a_failed_turn_was_asked_with_is_not_quoted_by_its_error(
    lakehouse: Database, store: Path, canary: str, session: str
) -> None:
    with pytest.raises(TurnError):
        ask(lakehouse, session, QUESTION, "unreachable")
    failed = traces(session)[-1]
    assert failed.info.state == "ERROR"
    assert failed.data.spans[0].attributes["error"] == "ModelError"
    assert canary.encode() not in kept(store)
    assert SECRET.encode() not in kept(store)


@pytest.mark.parametrize("kept_of_it", ["redacted", "full"])
def test_what_people_think_is_on_the_trace_and_changes_there(
    lakehouse: Database, store: Path, session: str, tmp_path: Path, kept_of_it: str
) -> None:
    comment = f"because {session}"
    with served(tmp_path, **PATIENT, MOORING_TRACES=kept_of_it) as server:
        answered = server.post("alice", asked("hello", session)).json()
        place = f"/sessions/{session}/messages/{answered['output'][-1]['id']}/feedback"
        for body in ({"rating": "up"}, {"rating": "down", "comment": comment}):
            assert server.post("alice", body, place).status_code == 200
        server.end()
    [trace] = traces(session)
    now = [each for each in trace.info.assessments if each.valid is not False]
    assert [(each.name, each.feedback and each.feedback.value, each.source.source_id) for each in now] == [
        ("user_feedback", False, "alice")
    ]
    assert now[0].source.source_type == "HUMAN"
    # A comment is as much as the answer that it is about.
    assert now[0].rationale == (comment if kept_of_it == "full" else None)
    assert (comment.encode() in kept(store)) is (kept_of_it == "full")


def test_what_people_think_is_kept_where_traces_cannot_be_reached(
    lakehouse: Database, store: Path, session: str, tmp_path: Path
) -> None:
    with served(tmp_path, **PATIENT) as server:
        answered = server.post("alice", asked("hello", session)).json()
        server.end()
    gone = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with served(tmp_path, **PATIENT | gone) as server:
        place = f"/sessions/{session}/messages/{answered['output'][-1]['id']}/feedback"
        assert server.post("alice", {"rating": "down"}, place).json()["rating"] == "down"
        read = server.get("alice", f"/sessions/{session}/messages").json()["messages"]
        assert read[-1]["feedback"]["rating"] == "down"
        server.end()
