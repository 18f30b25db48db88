"""From the words of a question to the parts of its clauses."""

from __future__ import annotations
