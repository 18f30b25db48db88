"""Mooring in a notebook: sessions and the graph show themselves, and calls work in a running event loop.

    me = connect()
    session = me.session("first")
    session.ask("how many reviews are there?")
    await session.aask("and per rating?")
    session.history()

On a laptop `connect()` opens the embedded database, in a workspace the Lakebase that the environment names.
"""

from __future__ import annotations

from agent.notebook.drawing import Picture
from agent.notebook.listing import Listing
from agent.notebook.session import Exchange, Me, Session, connect

__all__ = ["Exchange", "Listing", "Me", "Picture", "Session", "connect"]
