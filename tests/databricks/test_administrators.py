"""Labels are held by whoever may read a thing, and not by whoever is only told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools import CatalogUnavailableError
from tools.workspace import seen_by

if TYPE_CHECKING:
    from tests.databricks.stand_in import StandIn

REVIEWS = "lakehouse.bakehouse.reviews"


def held(stand_in: StandIn, user: str = "alice") -> bool:
    return stand_in.seen_by(user, REVIEWS) is not None


def test_whoever_administers_nothing_is_told_because_they_may_read(stand_in: StandIn) -> None:
    stand_in.unity.owners |= {"": "root", "lakehouse": "owners"}
    assert held(stand_in)
    assert not stand_in.workspace.sent("/effective-permissions/")


@pytest.mark.parametrize("above", ["", "lakehouse"])
@pytest.mark.parametrize("owner", ["alice", "crew"])
@pytest.mark.parametrize(
    ("granted", "holds"),
    [
        ({}, False),
        ({"bob": ["SELECT"]}, False),
        ({"alice": ["MODIFY", "BROWSE"]}, False),
        ({"bob": ["MODIFY"], "alice": ["SELECT"]}, True),
        ({"bob": ["MODIFY"], "crew": ["ALL_PRIVILEGES"]}, True),
        ({"account users": ["SELECT"]}, True),
    ],
)
def test_for_administrators_the_effective_permissions_decide(
    stand_in: StandIn, above: str, owner: str, granted: dict[str, list[str]], holds: bool
) -> None:
    stand_in.unity.owners[above] = owner
    stand_in.unity.grants[REVIEWS] = granted
    assert held(stand_in) is holds


def test_the_owner_of_a_table_may_read_it(stand_in: StandIn) -> None:
    stand_in.unity.owners |= {"": "alice", REVIEWS: "crew"}
    stand_in.unity.grants[REVIEWS] = {}
    assert held(stand_in)


def test_what_is_not_told_is_not_held(stand_in: StandIn) -> None:
    stand_in.workspace.fail("/metastore_summary", 403, "PERMISSION_DENIED")
    assert not held(stand_in)
    stand_in.workspace.fail("/catalogs/lakehouse", 404, "CATALOG_DOES_NOT_EXIST")
    assert not held(stand_in)
    stand_in.workspace.fail("/metastore_summary", 400, "BAD_REQUEST")
    with pytest.raises(CatalogUnavailableError):
        held(stand_in)


def test_one_request_asks_once_about_what_is_above(stand_in: StandIn) -> None:
    client = stand_in.client("alice")
    for table in ("reviews", "suppliers", "franchises"):
        assert seen_by(client, lambda: "alice", f"lakehouse.bakehouse.{table}") is not None
    for path in ("/metastore_summary", "/catalogs/lakehouse", "/Me"):
        assert len(stand_in.workspace.sent(path)) == 1
