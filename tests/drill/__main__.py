"""`make drill`: a new release takes over from the previous one while people chat, and nothing is lost.

Two replicas of the previous release answer behind a proxy. With all turns in flight the schema is migrated, one replica
is told to end and the other is killed; two of the new release take their places. Then every session is looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.clients import Person, Seen
from tests.drill.proxy import Proxy
from tests.drill.replicas import ROOT, Release, Replica, checked_out
from tests.drill.world import World, world

# Figures of each person; they are asked for in turn.
_CARGO = 100


async def drill(old: Release, new: Release, made: World, sessions: int, turns: int) -> tuple[Seen, int]:
    """Roll from one release to the other while each session has a turn in flight.

    Returns:
        What clients saw, and how many turns they asked for.
    """
    seen, proxy = Seen(sessions), Proxy()
    tokens = {name: made.token(name) for name in made.people}
    people = [
        Person(made, name, tokens[name], f"drill-{i}")
        for i in range(sessions)
        for name in [made.people[i % len(made.people)]]
    ]
    running = [old.start(sessions), old.start(sessions)]
    try:
        await _ready(running)
        proxy.replicas = [replica.port for replica in running]
        async with proxy.running():
            url = f"http://127.0.0.1:{proxy.port}"
            talking = [asyncio.create_task(person.talk(url, turns, seen)) for person in people]
            await seen.all_asked.wait()
            print(f"{seen.in_flight} turns in flight; migrating and rolling", flush=True)
            await asyncio.to_thread(new.run, "db", "migrate", "--login-role", "crew")
            running += [new.start(sessions), new.start(sessions)]
            await _ready(running[2:])
            proxy.replicas = [replica.port for replica in running[1:]]
            await asyncio.to_thread(running[0].end)
            print(f"one told to end, {seen.in_flight} in flight; killing the other", flush=True)
            running[1].kill()
            seen.rolled.set()
            await asyncio.gather(*talking)
            proxy.replicas = [replica.port for replica in running[2:]]
            for person in people:
                stranger = next(tokens[name] for name in made.people if name != person.name)
                await person.check(url, stranger, seen)
    finally:
        for replica in running:
            if replica.process.poll() is None:
                replica.kill()
    return seen, sum(len(person.asked) for person in people)


async def _ready(replicas: list[Replica]) -> None:
    await asyncio.gather(*(asyncio.to_thread(replica.wait_until_ready) for replica in replicas))


def main() -> int:
    """Run the drill, and return 1 for any loss."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--previous", default="HEAD~1", help="the commit that runs first")
    parser.add_argument("--sessions", type=int, default=200, help="each has a turn in flight")
    parser.add_argument("--turns", type=int, default=3, help="of each session, at least")
    parser.add_argument("--people", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mooring-drill-") as name:
        folder = Path(name)
        (folder / "previous").mkdir()
        log = folder / "log"
        with world(folder, given.people, _CARGO) as made:
            old = Release(checked_out(given.previous, folder / "previous"), made, log)
            new = Release(ROOT, made, log)
            old.run("db", "migrate", "--login-role", "crew")
            begun = time.monotonic()
            seen, asked = asyncio.run(drill(old, new, made, given.sessions, given.turns))
        if seen.faults:
            print(log.read_text()[-4000:], file=sys.stderr)
    seconds, took = sorted(seen.seconds) or [0.0], time.monotonic() - begun
    print(
        f"{seen.answered} of {asked} turns answered in {took:.0f} s, {seen.asked_again} asked again.\n"
        f"A turn took {statistics.median(seconds):.1f} s in the median, {seconds[-1]:.1f} s at most.\n"
        f"The longest time without an answer to anybody was {seen.longest_silence():.1f} s."
    )
    for fault in seen.faults[:20]:
        print(f"LOST: {fault}")
    return int(bool(seen.faults) or seen.answered != asked)


if __name__ == "__main__":
    sys.exit(main())
