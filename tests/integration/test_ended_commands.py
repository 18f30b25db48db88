"""Commands that are told to end, or whose output nobody takes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos.watching import MOORING
from tests.embedded import fresh_home, servers

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.embedded


def test_a_command_that_is_told_to_end_leaves_no_server_behind() -> None:
    with fresh_home() as home:
        environment = os.environ | {"MOORING_HOME": str(home)}
        with subprocess.Popen([MOORING, "chat"], env=environment, stdin=subprocess.PIPE, text=True) as chat:
            end = time.monotonic() + 60
            while not (home / "cluster" / "bootstrapped").exists() and not servers(home):
                assert time.monotonic() < end
                time.sleep(0.05)
            time.sleep(3)  # it waits for a question by now
            assert len(servers(home)) == 1
            chat.send_signal(signal.SIGTERM)
            assert chat.wait(30) == 143
        assert servers(home) == []


def test_output_that_cannot_be_written_is_told_as_such(lakehouse: Database) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [MOORING, "ask", "which tables can I read?"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "mooring: The output, or a file, cannot be written: the disk is full. Make room, and run it again.",
    )


def test_a_home_that_is_a_file_is_told_as_such(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("mine")
    done = subprocess.run(
        [MOORING, "ask", "x"], env=os.environ | {"MOORING_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"mooring: MOORING_HOME={home} is a file: set it to a folder of your own\n",
    )
    assert home.read_text() == "mine"
