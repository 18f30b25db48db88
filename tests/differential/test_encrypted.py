"""An encrypting saver answers as upstream's in the clear does, operation by operation and graph by graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis.stateful import run_state_machine_as_test

from checkpointer import Keyring
from tests.differential.budget import budget
from tests.differential.test_contract import BothSavers
from tests.differential.test_graphs import BothGraphs
from tests.differential.ways import Ours, our_savers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database
    from tests.differential.peer import Peer


@pytest.fixture(scope="module")
def encrypting(lakehouse: Database) -> Iterator[Ours]:
    with our_savers(lakehouse, encryption=Keyring({"new": bytes(32), "old": bytes(31) + b"1"})) as opened:
        yield opened


def test_every_read_is_answered_as_upstream_does(encrypting: Ours, peer: Peer) -> None:
    machine = type("Machine", (BothSavers,), {"ours": encrypting, "peer": peer})
    run_state_machine_as_test(machine, settings=budget(examples=8, steps=30))


def test_every_state_and_history_is_as_upstream_has_it(
    encrypting: Ours, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = type("Machine", (BothGraphs,), {"ours": encrypting, "peer": peer, "patch": monkeypatch})
    run_state_machine_as_test(machine, settings=budget(examples=4, steps=12))
