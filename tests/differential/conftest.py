"""Upstream's saver, on the same server as ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.peer import Peer, peer_saver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.database import Database


@pytest.fixture(scope="module")
def peer(lakehouse: Database) -> Iterator[Peer]:
    with peer_saver(lakehouse) as opened:
        yield opened
