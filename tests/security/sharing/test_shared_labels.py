"""What somebody else's session shows: what its reader may read of the tables themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from checkpointer import (
    GovernedPostgresSaver,
    Principal,
    acting_as,
)
from tests.security.scenes import FIGURE, Scene

if TYPE_CHECKING:
    pass

from tests.security.sharing.plans import state

pytestmark = pytest.mark.usefixtures("unshared_afterwards")

TABLE = "select amount from {name}.sales"


class TestLabels:
    def test_a_viewer_reads_what_they_may_read_themselves(self, scene: Scene) -> None:
        assert FIGURE in scene.ask(TABLE)
        config: Any = {"configurable": {"thread_id": scene.name, "thread_owner": scene.person}}
        with acting_as(scene.principal):
            scene.saver.share(scene.name, scene.colleague)
        seen = self._read_by(scene, config)
        assert "withheld" in seen
        assert FIGURE not in seen

        scene.run("grant usage on schema {name} to {colleague}", "grant select on {name}.sales to {colleague}")
        assert FIGURE in self._read_by(scene, config)

        scene.run(
            "alter table {name}.sales enable row level security",
            "create policy whole on {name}.sales to {person} using (true)",
            "create policy part on {name}.sales to {colleague} using (country = 'DE')",
        )
        assert FIGURE not in self._read_by(scene, config)
        with acting_as(scene.principal):
            assert FIGURE in str(scene.saver.get_tuple(scene.config))

    def test_what_an_editor_found_is_withheld_from_an_owner_who_may_not_read_it(self, scene: Scene) -> None:
        # given an owner who sees the German rows, and a colleague who sees all
        scene.run(
            "grant usage on schema {name} to {colleague}",
            "grant select on {name}.sales to {colleague}",
            "alter table {name}.sales enable row level security",
            "create policy part on {name}.sales to {person} using (country = 'DE')",
            "create policy whole on {name}.sales to {colleague} using (true)",
        )
        assert FIGURE not in scene.ask(TABLE)
        with acting_as(scene.principal):
            scene.saver.share(scene.name, scene.colleague, "editor")

        assert FIGURE in scene.ask(TABLE, scene.colleague, scene.person)

        for way, found in scene.everything().items():
            assert FIGURE not in str(found), way
        scene.model.prompts.clear()
        assert FIGURE not in scene.ask("select 1")
        assert FIGURE not in str(scene.model.prompts)
        config: Any = {"configurable": {"thread_id": scene.name, "thread_owner": scene.person}}
        assert FIGURE in self._read_by(scene, config)

    def test_labels_stay_what_they_are_when_it_is_given_away(self, scene: Scene) -> None:
        assert FIGURE in scene.ask(TABLE)
        with acting_as(scene.principal):
            scene.saver.transfer(scene.name, scene.colleague)
        assert FIGURE not in self._read_by(scene, scene.config)
        scene.run("grant usage on schema {name} to {colleague}", "grant select on {name}.sales to {colleague}")
        assert FIGURE in self._read_by(scene, scene.config)

    def test_equal_content_of_two_people_is_labelled_for_each(self, scene: Scene) -> None:
        # given content that is labelled when it is stored, as its writer sees the table
        scene.run(
            "grant usage on schema {name} to {colleague}",
            "grant select on {name}.sales to {colleague}",
            "alter table {name}.sales enable row level security",
            "create policy whole on {name}.sales to {person} using (true)",
            "create policy part on {name}.sales to {colleague} using (country = 'NL')",
        )
        config: Any = {"configurable": {"thread_id": scene.name, "checkpoint_ns": ""}}
        theirs: Any = {"configurable": {**config["configurable"], "thread_owner": scene.person}}
        text = f"a guess: {FIGURE} {FIGURE} {FIGURE} {FIGURE} {FIGURE} {FIGURE}"
        source = f"lakehouse.{scene.name}.sales"

        def sources_of(value: Any) -> list[str]:
            return [source] if FIGURE in str(value) else []

        runtime = scene.lakehouse.runtime
        with GovernedPostgresSaver.from_conn_string(runtime, sources_of=sources_of) as saver:
            with acting_as(scene.principal):
                saver.put(config, state(text), {"step": 0}, {"messages": 1})
                saver.share(scene.name, scene.colleague, "editor")
            with acting_as(Principal(scene.colleague)):
                assert FIGURE not in str(saver.get_tuple(theirs))
                saver.put(theirs, state(text), {"step": 1}, {"messages": 2})
                assert FIGURE in str(saver.get_tuple(theirs))
            with acting_as(scene.principal):
                assert FIGURE not in str(saver.get_tuple(config))

    def _read_by(self, scene: Scene, config: Any) -> str:
        saver, query = scene.saver, "select * from mooring.contents order by thread, position"
        with (
            acting_as(Principal(scene.colleague)),
            psycopg.connect(scene.login(scene.colleague), autocommit=True) as own,
        ):
            latest = saver.get_tuple(config)
            assert latest is not None
            return str((latest, list(saver.list(config)), own.execute(query).fetchall()))
