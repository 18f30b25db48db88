"""The page at `/`: it names every address and every failure there is, and loads and runs nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from agent.responses import CODES

if TYPE_CHECKING:
    from tests.serving.served import Served

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """What is on a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def text(server: Served) -> str:
    found = server.get(None, "/")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return found.text


def test_it_names_every_address_and_every_failure(server: Served, text: str) -> None:
    paths = server.get(None, "/openapi.json").json()["paths"]
    assert {"/responses", "/sessions", "/ready"} <= set(paths)
    shown = set(re.findall(r"<code>(/[^<]*)</code>", text))
    assert shown == set(paths)
    rows = re.findall(r"<tr><td>([A-Z, ]+)</td><td>(.*?)</td>", text)
    methods = {
        (method, path)
        for each, cell in rows
        for method in each.split(", ")
        for path in re.findall("/[^<]+(?=</code>)", cell)
    }
    assert methods == {(method.upper(), path) for path, found in paths.items() for method in found}
    assert all(f"<code>{code}</code>" in text for code in CODES)


def test_it_loads_and_runs_nothing(server: Served, text: str) -> None:
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "form", "object", "svg"}
    assert not re.search(r"url\(|@import|https?://(?!THIS-SERVER)", text)
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    policy = server.get(None, "/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    # Behind a proxy it may be anywhere.
    for link in page.named("a"):
        assert link["href"] in ("openapi.json", "docs")
        assert server.get(None, f"/{link['href']}").status_code == 200


def test_it_can_be_read_by_everybody(text: str) -> None:
    page = Page(text)
    tags = [tag for tag, _ in page.elements]
    assert page.named("html") == [{"lang": "en"}]
    assert (tags.count("h1"), tags.count("main"), tags.count("title")) == (1, 1, 1)
    assert [tag for tag in tags if re.fullmatch("h[1-6]", tag)] == ["h1", "h2", "h2", "h2"]
    assert len(page.named("caption")) == len(page.named("table")) == 1
    assert {each.get("scope") for each in page.named("th")} == {"col"}
    # What scrolls is reached with the keyboard.
    assert all(each.get("tabindex") == "0" and each.get("aria-label") for each in page.named("pre"))
    assert "viewport" in {each.get("name") for each in page.named("meta")}


def test_it_says_nothing_of_who_and_where(server: Served, text: str) -> None:
    assert server.url not in text
    assert server.get("alice", "/").text == text
    with server.client(None) as client:
        assert client.head("/").status_code == 200
        assert client.post("/").status_code == 405
