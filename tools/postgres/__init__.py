"""The catalog of a Postgres database."""

from __future__ import annotations

from tools.postgres.catalog import PostgresCatalog

__all__ = ["PostgresCatalog"]
