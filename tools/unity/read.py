"""What something was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.catalog import Labels


@dataclass(frozen=True, slots=True)
class Read:
    """The tables that something was read from, as `catalog.schema.table`, and the labels that it has for that."""

    sources: frozenset[str] = frozenset()
    labels: Labels = frozenset()
