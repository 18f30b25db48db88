"""People who ask, ask again when nothing comes, and look at the end whether everything is there once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx

from tests.drill.world import World

# A platform's proxy answers so while a replica comes or goes; a turn that runs elsewhere is waited for.
_AGAIN = {409, 500, 502, 503, 504}
_GIVE_UP_SECONDS = 180.0


@dataclass(slots=True)
class Seen:
    """What clients saw; `most` of them ask at once."""

    most: int
    all_asked: asyncio.Event = field(default_factory=asyncio.Event)
    rolled: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    answered: int = 0
    asked_again: int = 0
    seconds: list[float] = field(default_factory=list)
    answers_at: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def longest_silence(self) -> float:
        """Return the longest time, in seconds, in which nobody got an answer."""
        times = sorted(self.answers_at)
        return max((b - a for a, b in pairwise(times)), default=0.0)


@dataclass(frozen=True, slots=True)
class Person:
    """One session of somebody's, and what they ask in it."""

    world: World
    name: str
    token: str
    session: str
    asked: list[int] = field(default_factory=list)

    async def talk(self, url: str, turns: int, seen: Seen) -> None:
        """Ask one question after the other: so many at least, and until the roll is over."""
        while len(self.asked) < turns or not seen.rolled.is_set():
            self.asked.append(len(self.asked) % self.world.cargo)
            await self._ask(url, self.asked[-1], seen)

    async def check(self, url: str, others: str, seen: Seen) -> None:
        """Look at the whole session, and have somebody else try to."""
        async with self._client(url) as client:
            found = await client.get(f"/sessions/{self.session}/messages")
            strangers = await client.get(
                f"/sessions/{self.session}/messages", headers={"Authorization": f"Bearer {others}"}
            )
        if strangers.status_code != 404:
            seen.faults.append(f"{self.session}: a stranger got {strangers.status_code}")
        transcript = found.json()
        messages: list[dict[str, Any]] = transcript.get("messages", [])
        questions = [message["content"] for message in messages if message["role"] == "user"]
        answers = [message["content"] for message in messages if message["role"] == "assistant" and message["content"]]
        if questions != [f"cargo {number}" for number in self.asked]:
            seen.faults.append(f"{self.session}: questions are {questions}")
        if answers != [self._answer(number) for number in self.asked]:
            seen.faults.append(f"{self.session}: answers are {answers}")
        if transcript.get("unfinished") or len({message["id"] for message in messages}) != len(messages):
            seen.faults.append(f"{self.session}: it is unfinished, or holds something twice")

    async def _ask(self, url: str, number: int, seen: Seen) -> None:
        body = {
            "input": f"cargo {number}",
            "custom_inputs": {"thread_id": self.session, "message_id": uuid4().hex},
        }
        begun = time.monotonic()
        seen.in_flight += 1
        if seen.in_flight == seen.most:
            seen.all_asked.set()
        try:
            while time.monotonic() - begun < _GIVE_UP_SECONDS:
                try:
                    async with self._client(url) as client:
                        response = await client.post("/responses", json=body)
                except httpx.TransportError:
                    response = None
                if response is not None and response.status_code == 200:
                    self._answered(response.json(), number, time.monotonic() - begun, seen)
                    return
                if response is not None and response.status_code not in _AGAIN:
                    seen.faults.append(f"{self.session}: {response.status_code} {response.text[:200]}")
                    return
                seen.asked_again += 1
                await asyncio.sleep(0.2)
            seen.faults.append(f"{self.session}: no answer to cargo {number}")
        finally:
            seen.in_flight -= 1

    def _answered(self, response: dict[str, Any], number: int, seconds: float, seen: Seen) -> None:
        seen.answered += 1
        seen.seconds.append(seconds)
        seen.answers_at.append(time.monotonic())
        said = [part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"]]
        if said[-1:] != [self._answer(number)]:
            seen.faults.append(f"{self.session}: cargo {number} was answered with {said}")

    def _answer(self, number: int) -> str:
        return f"The figure is {self.world.figure(self.name, number)}."

    def _client(self, url: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}", "Connection": "close"}
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=120)
