"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.embedded import fresh_home

ROOT = Path(__file__).parents[2]
MOORING = str(Path(sys.executable).with_name("mooring"))


def test_the_transcript_is_of_a_run() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = next(
        block for block in re.findall(r"^```\w*\n(.+?)^```$", text, re.MULTILINE | re.DOTALL) if block[:2] == "> "
    )
    questions = [line[2:] for line in shown.splitlines() if line.startswith("> ")]
    printf = "".join(f"{question}\\n" for question in questions)
    assert f"printf '{printf}' | make chat" in text
    given = "".join(f"{question}\n" for question in questions)
    with fresh_home() as home:
        done = subprocess.run(
            [MOORING, "chat"],
            input=given,
            env=os.environ | {"MOORING_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    assert done.stdout.strip() == shown.strip()


def test_every_make_target_is_one() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text("utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
