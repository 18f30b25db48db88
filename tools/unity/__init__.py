"""The catalog of a Databricks workspace.

Its packages are those of the extra `databricks`, so it is not imported by `tools` itself.
"""

from __future__ import annotations

from tools.unity.catalog import UnityCatalog
from tools.unity.logs import hide_bodies

__all__ = ["UnityCatalog"]

hide_bodies()
