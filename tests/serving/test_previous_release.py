"""Sessions and models go from one release to the next, and back where a release is rolled back.

The release before is the code as it was before the schema's latest migration, from the repository's history. Both work
on one database, which the new one has migrated.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.watching import until
from tests.drill.replicas import checked_out
from tests.serving.elsewhere import QUIET, Elsewhere, logged_model
from tests.serving.served import PROVIDER

if TYPE_CHECKING:
    from agent.database import Database

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
RUN = "import sys; from agent.cli import main; main()"
FIRST, SECOND = "how many franchises are there?", "and by country?"
ANSWER = "The number of franchises is 48."
SQL = "query: select count(*) from bakehouse.suppliers"


@dataclass(frozen=True)
class Release:
    """The code of one release, as a command line."""

    folder: Path

    def environment(self, **given: str) -> dict[str, str]:
        return os.environ | QUIET | {"PYTHONPATH": os.pathsep.join([str(self.folder), PROVIDER])} | given

    def start(self, *arguments: str, **given: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUN, *arguments]
        return subprocess.Popen(
            command, env=self.environment(**given), cwd=self.folder, stdout=subprocess.PIPE, stderr=-1, text=True
        )

    def run(self, *arguments: str, **given: str) -> str:
        with self.start(*arguments, **given) as running:
            out, problem = running.communicate(timeout=120)
        assert running.returncode == 0, problem
        return out

    def ask(self, question: str, session: str, **given: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run("ask", question, "--session", session, "-o", "json", **given))
        return answer

    def messages(self, session: str, **given: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("sessions", "export", session, **given))["messages"]
        return found


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def previous(lakehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release before this one."""
    if git("rev-parse", "--is-shallow-repository") != b"false\n":
        pytest.skip("This checkout has no history, which the release before is taken from: git fetch --unshallow")
    latest = max((ROOT / "checkpointer/sql/migrations").glob("*.sql"))
    [added] = git("log", "--follow", "--diff-filter=A", "--format=%H", "--", str(latest)).decode().split()[-1:]
    folder = checked_out(f"{added}~1", tmp_path_factory.mktemp("previous"))
    assert not (folder / latest.relative_to(ROOT)).exists()
    return Release(folder)


@pytest.fixture
def releases(previous: Release, request: pytest.FixtureRequest) -> tuple[Release, Release]:
    """The one that begins, and the one that goes on."""
    both = previous, Release(ROOT)
    return both if request.param == "rolled forward" else (both[1], both[0])


both_ways = pytest.mark.parametrize("releases", ["rolled forward", "rolled back"], indirect=True)


def same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """Tell whether two releases read the same, in what both know."""
    return len(ours) == len(theirs) and all(
        {key: mine[key] for key in mine.keys() & yours.keys()}
        == {key: yours[key] for key in mine.keys() & yours.keys()}
        for mine, yours in zip(ours, theirs, strict=True)
    )


@both_ways
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_session_goes_on(releases: tuple[Release, Release], session: str, encrypted: bool) -> None:
    begins, goes_on = releases
    keys = {"MOORING_ENCRYPTION_KEYS": f"k={b64encode(secrets.token_bytes(32)).decode()}"} if encrypted else {}
    assert begins.ask(FIRST, session, **keys)["answer"] == ANSWER
    assert "country" in goes_on.ask(SECOND, session, **keys)["answer"]
    assert begins.ask(FIRST, session, **keys)["answer"] == ANSWER
    found = goes_on.messages(session, **keys)
    assert [each["content"] for each in found if each["role"] == "user"] == [FIRST, SECOND, FIRST]
    assert found[-1]["sources"] == ["lakehouse.bakehouse.franchises"]
    assert same(found, begins.messages(session, **keys))


@both_ways
def test_what_was_interrupted_is_finished(releases: tuple[Release, Release], session: str) -> None:
    begins, goes_on = releases
    patient = {"MOORING_MODEL": "ollama:any"}
    with begins.start("ask", f"{SQL} -- wait 4", "--session", session, **patient) as asking:
        # The call's result is stored, and the model thinks about it.
        until(lambda: _is_stored(goes_on, session), 60)
        asking.kill()
        asking.communicate()
    goes_on.ask("hello", session, **patient)
    found = goes_on.messages(session)
    assert [each["role"] for each in found] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert found[3]["content"].startswith("Answer 1 to")
    assert found[-1]["content"] == "Answer 2 to 'hello'"
    assert same(found, begins.messages(session))


def _is_stored(release: Release, session: str) -> bool:
    with release.start("sessions", "export", session) as running:
        out, _ = running.communicate(timeout=120)
    return running.returncode == 0 and len(json.loads(out)["messages"]) >= 2


@both_ways
def test_a_call_that_waits_is_decided(releases: tuple[Release, Release], session: str) -> None:
    begins, goes_on = releases
    careful = {"MOORING_MODEL": "ollama:any", "MOORING_APPROVE": "query"}
    [waiting] = begins.ask(SQL, session, **careful)["tools"]
    assert waiting["status"] == "waiting"
    goes_on.run("approve", session, waiting["id"], "yes", **careful)
    last = goes_on.messages(session)[-1]
    assert last["content"].startswith("Answer 1 to")
    assert last["sources"] == ["lakehouse.bakehouse.suppliers"]


def test_what_may_not_be_read_any_more_is_withheld_by_either(
    previous: Release, session: str, admin: Any, lakehouse: Database
) -> None:
    new = Release(ROOT)
    previous.ask(FIRST, session)
    new.ask(SECOND, session)
    admin.execute("revoke select on bakehouse.franchises from alice")
    try:
        for release in (previous, new):
            found = release.messages(session)
            assert [each["content"] for each in found if each["role"] == "assistant" and each["sources"]] == []
            assert ANSWER not in json.dumps(found)
    finally:
        admin.execute("grant select on bakehouse.franchises to alice")


def test_a_model_of_the_previous_release_and_this_one_s_go_on_with_each_other_s_sessions(
    previous: Release, session: str, tmp_path: Path
) -> None:
    new = Release(ROOT)
    tracked = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    uri = json.loads(previous.run("log-model", "-o", "json", **tracked))["model_uri"]
    (tmp_path / "new").mkdir()
    new_model = logged_model(tmp_path / "new")
    # Its interpreter has nothing of the repository, so each brings its own code.
    old_model = Elsewhere(uri, tmp_path, new_model.python)

    def asked(text: str) -> dict[str, Any]:
        return {"input": [{"role": "user", "content": text}], "custom_inputs": {"thread_id": session}}

    assert new.ask(FIRST, session)["answer"] == ANSWER
    assert "country" in json.dumps(old_model.ask(asked(SECOND), MOORING_USER="alice")["output"])
    assert ANSWER in json.dumps(new_model.ask(asked(FIRST), MOORING_USER="alice")["output"])
    assert [each["content"] for each in new.messages(session) if each["role"] == "user"] == [FIRST, SECOND, FIRST]
