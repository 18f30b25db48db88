"""The locks name everything that is installed from them, so that no installer looks for any of it by itself."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = Path(__file__).parents[2] / "requirements"
PIN = re.compile(r"^(\S[^\\]*==[^\\;]+)", re.MULTILINE)


@pytest.mark.parametrize("lock", ["chat", "databricks", "dev"])
def test_every_extra_that_a_package_asks_for_is_named(lock: str) -> None:
    """Else pip, with hashes, takes the package with its extra for another one that nothing pins, and refuses it."""
    pinned = [Requirement(found.strip()) for found in PIN.findall((LOCKS / f"{lock}.lock").read_text())]
    extras = {canonicalize_name(each.name): each.extras for each in pinned}
    asked = [(name, Requirement(line)) for name in extras for line in _requires(name)]
    missing = [
        f"{name} asks for {each}"
        for name, each in asked
        if _holds(each, {"", *extras[name]}) and not each.extras <= extras[canonicalize_name(each.name)]
    ]
    assert len(asked) > 100
    assert missing == []


def _requires(name: str) -> list[str]:
    """What a package asks for; nothing if it is of another platform, and not installed."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def _holds(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)
