"""The embedded server runs as an ordinary account: the caller's own, or for root one that it gives its rights up to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent import local
from agent.local import binaries
from agent.settings import Settings
from tests.embedded import AS_ACCOUNT, ORDINARY, child, fresh_home

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.embedded

ROOT = os.geteuid() == 0
USE = """
home = Path(sys.argv[1])
with local.joined(home) as server:
    rows = psycopg.connect(server.conninfo("alice")).execute("select count(*) from bakehouse.transactions")
    print(rows.fetchone(), Path(f"/proc/{server.pid}").stat().st_uid)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """The home directory of an ordinary account."""
    with fresh_home("person") as path:
        path.mkdir(mode=0o700)
        if ROOT:
            os.chown(path, ORDINARY, ORDINARY)
        yield path


def run(home: Path, program: str, **environment: str) -> str:
    """Run a program to its end as an ordinary account, whoever runs the tests."""
    output, errors = child(home, AS_ACCOUNT + program, **environment).communicate()
    assert errors == ""
    return output


def test_an_ordinary_account_runs_its_own_server(folder: Path) -> None:
    environment = {"HOME": str(folder), "XDG_DATA_HOME": ""}
    output = f"(24000,) {ORDINARY}\n"

    # in the user's data folder
    home = folder / ".local" / "share" / "mooring"
    assert run(home, "assert local.default_home() == Path(sys.argv[1])\n" + USE, **environment) == output

    # everything is that account's and closed to others
    assert {path.stat().st_uid for path in [home, *home.rglob("*")]} == {ORDINARY}
    assert {path.stat().st_mode & 0o077 for path in (home, home / "cluster", home / "cluster" / "data")} == {0}
    # root may use it as well, by giving its rights up to the account, and takes nothing away from it
    with local.joined(home) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == ORDINARY
    assert run(home, USE) == output


def test_an_account_without_a_name_is_told_what_it_lacks() -> None:
    nameless = "54321"
    with fresh_home() as home:
        home.mkdir(mode=0o700)
        if ROOT:
            os.chown(home, int(nameless), int(nameless))
            _, errors = child(home, AS_ACCOUNT + USE, ACCOUNT=nameless).communicate()
            assert "initdb needs a name for the account 54321" in errors


def test_binaries_that_the_account_cannot_reach_are_copied_for_it(tmp_path: Path) -> None:
    # given an installation in a closed folder, such as root's
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = closed / binaries.PACKAGE
    original = binaries.wheel()
    shutil.copytree(original, package / original.name, symlinks=True)
    for folder in original.parent.parent.glob(f"{binaries.PACKAGE}.libs"):
        shutil.copytree(folder, closed / folder.name)
    (package / "__init__.py").write_text("")
    program = AS_ACCOUNT.split("if os.geteuid")[0] + USE

    with fresh_home() as home:
        output, errors = child(home, program, PYTHONPATH=f"{closed}:{Path.cwd()}").communicate()

        assert (errors, output.split()[0]) == ("", "(24000,)")
        assert (home / "binaries").exists() == ROOT
        assert closed.stat().st_mode & 0o777 == 0o700


def test_the_server_has_no_rights_of_root(admin: psycopg.Connection) -> None:
    accounts = Path("/etc/passwd").read_bytes()
    pid = local.status(Settings().home).pid

    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert "0" not in fields["Uid"].split() + fields["Gid"].split() + fields["Groups"].split()
    assert int(fields["CapEff"], 16) == 0

    admin.execute("create temporary table who (line text)")
    admin.execute("copy who from program 'id -u'")
    assert admin.execute("select line from who").fetchone() != ("0",)
    assert Path("/etc/passwd").read_bytes() == accounts  # no account was made
