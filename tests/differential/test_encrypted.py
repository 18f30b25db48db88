"""An encrypting saver answers as upstream's in the clear does, operation by operation and graph by graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis.stateful import run_state_machine_as_test

from checkpointer import Keyring
from tests.differential.budget import budget
from tests.differential.test_contract import BothSavers
from tests.differential.test_graphs import BothGraphs

if TYPE_CHECKING:
    import pytest

    from agent.database import Database
    from tests.differential.peer import Peer


KEYS = Keyring({"new": bytes(32), "old": bytes(31) + b"1"})


def test_every_read_is_answered_as_upstream_does(lakehouse: Database, peer: Peer) -> None:
    machine = type("Machine", (BothSavers,), {"lakehouse": lakehouse, "encryption": KEYS, "peer": peer})
    run_state_machine_as_test(machine, settings=budget(examples=8, steps=30))


def test_every_state_and_history_is_as_upstream_has_it(
    lakehouse: Database, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"lakehouse": lakehouse, "encryption": KEYS, "peer": peer, "patch": monkeypatch}
    machine = type("Machine", (BothGraphs,), given)
    run_state_machine_as_test(machine, settings=budget(examples=4, steps=12))
