"""Ours and upstream's saver, side by side on one server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.peer import Peer, peer_saver
from tests.differential.ways import Ours, our_savers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture(scope="module")
def ours(lakehouse: Database) -> Iterator[Ours]:
    with our_savers(lakehouse) as opened:
        yield opened


@pytest.fixture(scope="module")
def peer(lakehouse: Database) -> Iterator[Peer]:
    with peer_saver(lakehouse) as opened:
        yield opened
