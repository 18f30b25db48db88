"""What can go wrong with a chat model."""

from __future__ import annotations

from agent.errors import MooringError


class ModelError(MooringError):
    """The chat model cannot be loaded, or refuses to answer."""
