"""32 people at once against `mooring serve`: throughput, latencies, and that nobody gets another's answer.

    python -m tests.benchmarks.serving --seconds 60 --traces off,redacted,full

A server over the sample lakehouse is started, with a model that takes as long as `--model-ms` says. Everybody has
sessions of their own, asks words that nobody else asks, and looks for them in the answer. Before that one person alone
streams answers, whose first bytes should come within 1.5 times what the model takes for its own; and while that many
people wait for calls of the model that take 5 s, `/health` should answer within 100 ms. Times are milliseconds. The
exit code is 1 when a request failed, or an answer was crossed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

import httpx

from agent.database import open_database
from agent.settings import Settings
from tests.serving.served import PATIENT, asked, served, token

PEOPLE = ("alice", "bob", "carol")
# What the first byte may take, in times of what the model takes for its own, and an answer of /health, in ms.
FIRST_BYTE, HEALTH_MS = 1.5, 100
_CALL_SECONDS = 5


@dataclass
class Measured:
    """What the people saw. Times are seconds."""

    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    crossed: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and print what was measured."""
    options = _options(arguments)
    with open_database(Settings()):
        wrong = [_measure(policy, options) for policy in options.traces.split(",")]
    return int(any(wrong))


def _measure(policy: str, options: argparse.Namespace) -> bool:
    """Measure a server whose traces are so; tell whether something went wrong."""
    with tempfile.TemporaryDirectory(prefix="mooring-load-") as folder:
        store = {} if policy == "off" else {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        with served(Path(folder), **PATIENT, **store, MOORING_TRACES=policy) as server:
            for user in PEOPLE:
                server.post(user, asked("hello"))
            alone = load(server.url, 1, min(3.0, options.seconds), options.model_ms)
            health = healthy(server.url, options.users)
            measured = load(server.url, options.users, options.seconds, options.model_ms)
            log = server.log
    print(f"traces {policy}")
    print(f"  one user {_line(alone, min(3.0, options.seconds))}")
    print(f"  {_first_byte(alone, options.model_ms)}")
    missed = "" if health[1] <= HEALTH_MS else f", more than {HEALTH_MS}"
    print(f"  /health while calls take {_CALL_SECONDS} s: p50 {health[0]} p99 {health[1]} ms{missed}")
    print(f"  {options.users} users at once {_line(measured, options.seconds)}")
    print(f"  failed {len(measured.failures)}, crossed {measured.crossed}")
    for problem in (*alone.failures[:5], *measured.failures[:5], *log.splitlines()[:5]):
        print(problem, file=sys.stderr)
    return bool(measured.failures or measured.crossed or alone.failures or not measured.whole)


def load(url: str, users: int, seconds: float, model_ms: int) -> Measured:
    """Let so many people ask one question after the other, for so many seconds."""
    measured, end = Measured(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=_ask, args=(url, PEOPLE[i % len(PEOPLE)], i, end, model_ms, measured))
        for i in range(users)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return measured


def healthy(url: str, users: int) -> tuple[int, int]:
    """Ask for /health while so many people wait for a model that takes its time; return median and p99 in ms."""
    asking = [
        threading.Thread(target=_ask, args=(url, PEOPLE[i % len(PEOPLE)], i, 0.0, 1000 * _CALL_SECONDS, Measured(), 1))
        for i in range(users)
    ]
    for thread in asking:
        thread.start()
    # All of them are waiting then.
    time.sleep(_CALL_SECONDS / 2)
    took, end = [], time.monotonic() + _CALL_SECONDS / 2
    with httpx.Client(base_url=url, timeout=60) as client:
        while time.monotonic() < end:
            start = time.monotonic()
            client.get("/health").raise_for_status()
            took.append(time.monotonic() - start)
            time.sleep(0.01)
    for thread in asking:
        thread.join()
    cuts = quantiles(took, n=100)
    return round(1000 * cuts[49]), round(1000 * cuts[98])


def _ask(url: str, user: str, number: int, end: float, model_ms: int, measured: Measured, turns: int = 3) -> None:
    """Ask that many questions of one session after the other until the time is over, at least of one."""
    headers = {"Authorization": f"Bearer {token(user)}"}
    with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
        while True:
            session = uuid4().hex
            for turn in range(1, turns + 1):
                words = f"wait {model_ms / 1000} {user} {number} {uuid4().hex}"
                try:
                    _one(client, session, turn, words, measured)
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    measured.failures.append(f"{type(error).__name__}: {error}")
            if time.monotonic() >= end:
                return


def _one(client: httpx.Client, session: str, turn: int, words: str, measured: Measured) -> None:
    """Ask a question of a session, and look at its answer."""
    start, text = time.monotonic(), ""
    with client.stream("POST", "/responses", json=asked(words, session, stream=True)) as response:
        if response.status_code != 200:
            measured.failures.append(f"{response.status_code}: {response.read().decode()[:200]}")
            return
        for line in response.iter_lines():
            event = json.loads(line[6:]) if line.startswith("data: {") else {"type": ""}
            if event["type"] == "response.output_text.delta":
                if not text:
                    measured.first.append(time.monotonic() - start)
                text += event["delta"]
            elif event["type"] == "error":
                measured.failures.append(f"{event['code']}: {event['message']}")
                return
    measured.whole.append(time.monotonic() - start)
    measured.crossed += text != f"Answer {turn} to {words!r}"


def _line(measured: Measured, seconds: float) -> str:
    if len(measured.whole) < 2:
        return "too few answers to tell"
    cuts = quantiles(measured.whole, n=100)
    p50, p95, p99 = (round(1000 * cuts[at - 1]) for at in (50, 95, 99))
    first = round(1000 * quantiles(measured.first, n=2)[0])
    rate = len(measured.whole) / seconds
    return f"{rate:6.1f} requests/s, p50 {p50} p95 {p95} p99 {p99} ms, first byte {first} ms"


def _first_byte(alone: Measured, model_ms: int) -> str:
    if len(alone.first) < 2:
        return "too few answers to tell when the first byte comes"
    times = 1000 * quantiles(alone.first, n=2)[0] / model_ms
    missed = "" if times <= FIRST_BYTE else f", more than {FIRST_BYTE}"
    return f"its first byte comes after {times:.2f} times what the model takes{missed}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--traces", default="off", help="off, redacted, full, or several of them with commas")
    parser.add_argument("--model-ms", type=int, default=300, help="how long each call of the model takes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
