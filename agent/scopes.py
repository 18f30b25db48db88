"""What a caller's token has to be allowed: the names of scopes, which differ by who is asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A table is described by Unity Catalog before the warehouse is asked for it, and where it is labelled.
TABLES = ("sql", "unity-catalog")
MODELS = ("model-serving",)
LOGIN = ("postgres",)

# Unity Catalog's errors and Model Serving name the wide scope. Databricks Apps refuse it among an app's
# `user_api_scopes`, and take these of its parts.
_OF_APPS = {"unity-catalog": ("catalog.catalogs:read", "catalog.schemas:read", "catalog.tables:read")}


def of_apps(scopes: Iterable[str]) -> set[str]:
    """Return scopes as an app's `user_api_scopes` spell them."""
    return {part for scope in scopes for part in _OF_APPS.get(scope, (scope,))}


def refused_by_apps(scopes: Iterable[str]) -> set[str]:
    """Return those that an app's `user_api_scopes` may not hold."""
    return _OF_APPS.keys() & set(scopes)
