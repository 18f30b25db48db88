"""Rows of an earlier release: they are read as what was stored, and their sessions go on."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from langchain_core.messages import HumanMessage

from checkpointer import ClearRowError, EncryptedRowError, GovernedPostgresSaver, Principal, acting_as
from checkpointer.labels import withheld_in
from tests.golden import sessions as golden
from tests.integration.test_saver_opening import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database

ROWS = Path(golden.__file__).with_name("sessions.jsonl")
KEYS = {"clear": None, "sealed": golden.KEYS}
both = pytest.mark.parametrize("mark", KEYS)


@pytest.fixture(scope="module")
def schema(lakehouse: Database) -> Iterator[str]:
    assert lakehouse.admin is not None
    assert lakehouse.superuser is not None
    with schema_of(lakehouse) as name, psycopg.connect(lakehouse.superuser, autocommit=True) as admin:
        GovernedPostgresSaver.migrate(lakehouse.admin, runtime_role="mooring_service", schema=name)
        golden.load(admin, name, ROWS)
        yield name


@contextmanager
def opened(lakehouse: Database, schema: str, keys: Any, **options: Any) -> Iterator[GovernedPostgresSaver]:
    with (
        GovernedPostgresSaver(lakehouse.runtime, schema=schema, encryption=keys, **options) as saver,
        acting_as(golden.OWNER),
    ):
        yield saver


@both
def test_every_kind_of_value_is_what_was_stored(lakehouse: Database, schema: str, mark: str) -> None:
    with opened(lakehouse, schema, KEYS[mark]) as saver:
        found = saver.get_tuple(golden.config_of(f"{mark}-values"))
        assert found is not None
        held, expected = dict(found.checkpoint["channel_values"]), golden.values()
        assert held.pop("messages") == expected.pop("messages")
        assert held == expected
        assert (found.metadata["note"], found.metadata["step"]) == (["kept", 2**70], 1)  # type: ignore[typeddict-item]
        writes = {(task, channel): value for task, channel, value in found.pending_writes or ()}
        assert (writes["task-1", "short"], writes["task-1", "number"]) == ("written", -1)
        assert writes["task-2", "__error__"] == repr(ValueError("failed"))
        assert writes["task-3", "__interrupt__"][0].value == {"call": "call-1"}
        [session] = saver.sessions(thread_id=f"{mark}-values")
        assert (session.title, session.checkpoints) == ("Values", 1)
        assert saver.get_tuple(found.config) == found


@both
def test_a_conversation_goes_on_and_its_history_is_there(lakehouse: Database, schema: str, mark: str) -> None:
    config = golden.config_of(f"{mark}-turns")
    with opened(lakehouse, schema, KEYS[mark]) as saver:
        history = list(saver.list(config))
        assert len(history) == 4 * len(golden.QUESTIONS)
        graph = golden.graph_of(saver, fails=False)
        asked = {"messages": [HumanMessage("one more", id="more")]}
        texts = [message.text for message in graph.invoke(asked, config)["messages"]]
        before = [t for n, q in enumerate(golden.QUESTIONS) for t in (q, f"thought of {q}", f"answer {3 * n + 2}")]
        assert texts == [*before, "one more", "thought of one more", "answer 11"]
        # And from the middle, as another branch.
        [early] = [each for each in history if each.metadata.get("step") == 2]
        assert [m.text for m in graph.get_state(early.config).values["messages"]] == before[:3]
        assert list(saver.list(config))[4:] == history


@both
def test_an_interrupted_turn_is_finished(lakehouse: Database, schema: str, mark: str) -> None:
    config = golden.config_of(f"{mark}-interrupted")
    with opened(lakehouse, schema, KEYS[mark]) as saver:
        graph = golden.graph_of(saver, fails=False)
        assert graph.get_state(config).next == ("answer",)
        texts = [message.text for message in graph.invoke(None, config)["messages"]]
    assert texts == ["unfinished", "thought of unfinished", "answer 2"]


@both
def test_labels_withhold_what_they_did(lakehouse: Database, schema: str, mark: str) -> None:
    for seen, shown in (("whole", True), ("a part", False), (None, False)):
        reader = Principal(golden.OWNER.name, sees=lambda _, seen=seen: seen)  # type: ignore[misc]
        with opened(lakehouse, schema, KEYS[mark]) as saver, acting_as(reader):
            found = saver.get_tuple(golden.config_of(f"{mark}-labelled"))
            assert found is not None
            question, answer = found.checkpoint["channel_values"]["messages"]
            assert (question.text, answer.id) == ("q", "2")
            assert (answer.text == "of a table", withheld_in(answer) is None) == (shown, shown)


def test_what_was_encrypted_is_read_with_its_key_alone(lakehouse: Database, schema: str) -> None:
    with opened(lakehouse, schema, None) as saver, pytest.raises(EncryptedRowError):
        saver.get_tuple(golden.config_of("sealed-values"))
    with opened(lakehouse, schema, golden.KEYS) as saver, pytest.raises(ClearRowError):
        saver.get_tuple(golden.config_of("clear-values"))
    with opened(lakehouse, schema, golden.KEYS) as saver, acting_as(Principal("somebody else")):
        assert saver.get_tuple(golden.config_of("sealed-values")) is None
