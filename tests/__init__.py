"""The tests. A regular package, as a dependency installs another one of this name."""

from __future__ import annotations
