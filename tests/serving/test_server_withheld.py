"""A response that was told once is not told again from memory to whoever may not read it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.chaos.watching import until
from tests.serving.served import asked, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import psycopg

    from tests.serving.served import Served

FIGURE = "735194628"


@pytest.fixture
def table(admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A table that alice and carol read."""
    schema = f"till_{uuid4().hex[:8]}"
    admin.execute(f"create schema {schema}".encode())
    admin.execute(f"create table {schema}.receipts as select {FIGURE} as amount".encode())
    admin.execute(f"grant usage on schema {schema} to alice, carol".encode())
    admin.execute(f"grant select on {schema}.receipts to alice, carol".encode())
    yield f"{schema}.receipts"
    admin.execute(f"drop schema {schema} cascade".encode())


def shows(response: httpx.Response) -> bool:
    assert response.status_code == 200, response.text
    return FIGURE in response.text.replace(",", "")


def completed(server: Served, user: str, request: dict[str, Any]) -> str:
    """Ask in the background, wait for the answer, and return the response's address."""
    path = f"/responses/{server.post(user, request | {'background': True}).json()['id']}"
    until(lambda: server.get(user, path).json()["status"] == "completed")
    return path


def test_a_response_is_withheld_from_whoever_asked_for_it_and_comes_back(
    server: Served, session: str, admin: psycopg.Connection[Any], table: str
) -> None:
    path = completed(server, "alice", asked(f"what is the total amount in {table}?", session))
    ways = (path, f"{path}?stream=true", f"{path}?stream=true&starting_after=1")
    before = [server.get("alice", way) for way in ways]
    assert all(map(shows, before))

    admin.execute(f"revoke select on {table} from alice".encode())

    assert [shows(server.get("alice", way)) for way in ways] == [False] * 3
    with server.client("alice") as alice:
        assert not shows(alice.post(f"{path}/cancel"))
    admin.execute(f"grant select on {table} to alice".encode())
    assert [server.get("alice", way).text for way in ways] == [response.text for response in before]


@pytest.mark.usefixtures("unshared_afterwards")
def test_nor_to_an_editor_whom_the_session_is_not_shared_with_any_more(
    server: Served, session: str, table: str
) -> None:
    assert server.post("alice", asked("how many franchises are there?", session)).status_code == 200
    with server.client("alice") as alice:
        shared = {"shared_with": "carol", "role": "editor"}
        assert alice.put(f"/sessions/{session}/shares", json=shared).status_code == 204
        request = asked(f"what is the total amount in {table}?", session)
        request["custom_inputs"]["thread_owner"] = "alice"
        path = completed(server, "carol", request)
        assert shows(server.get("carol", path))

        assert alice.delete(f"/sessions/{session}/shares/carol").status_code == 204

    assert failure(server.get("carol", path)) == (404, "not_found")
    assert failure(server.get("carol", f"{path}?stream=true")) == (404, "not_found")
