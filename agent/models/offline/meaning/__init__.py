"""From the parts of a clause to a query over the schema."""

from __future__ import annotations
