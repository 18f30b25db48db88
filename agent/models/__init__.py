"""Chat models by name.

model = load_model("offline")            # no key, no network: answers from the live schema
model = load_model("databricks:<endpoint>")
model = load_model("openai:<model>")     # whatever langchain's init_chat_model knows
"""

from __future__ import annotations

from agent.models.errors import ModelError
from agent.models.loader import load_model
from agent.models.offline import OfflineChatModel

__all__ = ["ModelError", "OfflineChatModel", "load_model"]
