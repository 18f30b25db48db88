"""The model without a network.

It reads a question in four steps, each a file of its own: words become items (`lexicon`), items the parts of a clause
(`draft`), parts a query over the schema (`resolve`, or `followup` where the question leans on the one before), and the
query SQL (`sql`) and an answer (`answer`). `dialogue` decides which tools to call on the way.
"""

from __future__ import annotations

from agent.models.offline.model import OfflineChatModel

__all__ = ["OfflineChatModel"]
