"""What can go wrong with a chat model."""

from __future__ import annotations

from agent.errors import TurnError


class ModelError(TurnError):
    """The chat model cannot be loaded, or refuses to answer."""
