"""Who asks is known by credentials alone, and gets at nothing of anybody else's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from itsdangerous import URLSafeTimedSerializer

from agent.errors import CallerError
from agent.server.tokens import issue, user_of
from agent.settings import Settings
from tests.serving.elsewhere import MOORING, QUIET
from tests.serving.served import app_of, asked, events_in, failure, said, served, token

if TYPE_CHECKING:
    from agent.database import Database
    from tests.databricks.stand_in import StandIn
    from tests.serving.served import Served

QUESTION = "which tables can I read?"
REFUSED = (401, "unauthenticated")


def with_token(server: Served, value: str) -> tuple[int, str]:
    return failure(server.post(None, asked(QUESTION), authorization=f"Bearer {value}"))


def test_nobody_is_answered_without_a_token(server: Served, session: str) -> None:
    assert failure(server.post(None, asked(QUESTION, session))) == REFUSED
    for path in ("/sessions", f"/sessions/{session}/messages", "/responses/resp_1", "/sessions/shares"):
        assert failure(server.get(None, path)) == REFUSED
    for header in ("Basic YWxpY2U6YWxpY2U=", "Bearer", token("alice"), "bearer\talice"):
        assert failure(server.post(None, asked(QUESTION), authorization=header)) == REFUSED


def test_a_forged_token_is_refused(server: Served, tmp_path: Path) -> None:
    good = token("alice")
    name, _, signature = good.partition(".")
    forged = token("bob").partition(".")[0] + "." + signature
    other_key = URLSafeTimedSerializer("guessed", salt="mooring caller").dumps("alice")
    other_salt = URLSafeTimedSerializer((Settings().home / "token.key").read_text()).dumps("alice")
    for value in (good[:-1], good + "x", forged, name, other_key, other_salt, "alice", "null"):
        assert with_token(server, value) == REFUSED
    elsewhere = Settings().model_copy(update={"home": tmp_path})
    assert with_token(server, issue(elsewhere, "alice")) == REFUSED


def test_a_token_runs_out() -> None:
    token("alice")
    with pytest.raises(CallerError, match="too old"):
        user_of(Settings(), token("alice"), hours=-1)
    assert user_of(Settings(), token("alice")) == "alice"


def test_a_token_of_somebody_without_a_login_is_refused(server: Served) -> None:
    for name in ("nobody", "mooring_service", "postgres", "alice' --"):
        assert with_token(server, issue(Settings(), name)) == REFUSED


def test_what_a_request_says_of_itself_is_not_believed(server: Served, session: str) -> None:
    claims: dict[str, Any] = {
        "user": "alice",
        "user_id": "alice",
        "metadata": {"user": "alice"},
        "context": {"user_id": "alice", "conversation_id": session},
        "custom_inputs": {"user": "alice", "user_id": "alice", "principal": "alice", "thread_id": session},
    }
    headers = {
        "x-forwarded-email": "alice",
        "x-forwarded-user": "alice",
        "x-forwarded-preferred-username": "alice",
        "x-forwarded-access-token": token("alice"),
        "x-databricks-user": "alice",
    }
    assert failure(server.post(None, asked(QUESTION) | claims, **headers)) == REFUSED
    answer = server.post("carol", asked(QUESTION) | claims, **headers).json()
    assert "no tables" in said(answer) or "cannot read" in said(answer), said(answer)
    assert server.get("alice", f"/sessions/{session}/messages").status_code == 404
    assert server.get("carol", f"/sessions/{session}/messages").status_code == 200


def test_somebody_else_gets_at_nothing(patient: Served, session: str) -> None:
    begun = patient.post("alice", asked("wait 2", session, background=True)).json()
    for path in (f"/responses/{begun['id']}", f"/responses/{begun['id']}?stream=true"):
        assert failure(patient.get("bob", path)) == (404, "not_found")
    assert failure(patient.post("bob", {}, f"/responses/{begun['id']}/cancel")) == (404, "not_found")
    # To bob it is a session that is not there, whatever he does and whomever he names.
    for owner in ("", "?owner=alice"):
        assert failure(patient.get("bob", f"/sessions/{session}/messages{owner}")) == (404, "not_found")
        assert failure(patient.get("bob", f"/sessions/{session}/export{owner}")) == (404, "not_found")
    assert failure(patient.post("bob", {}, f"/sessions/{session}/stop?owner=alice")) == (404, "not_found")
    with patient.client("bob") as bob:
        assert failure(bob.patch(f"/sessions/{session}", json={"title": "mine"})) == (404, "not_found")
        assert failure(bob.delete(f"/sessions/{session}")) == (404, "not_found")
        assert failure(bob.put(f"/sessions/{session}/shares", json={"shared_with": "carol"})) == (404, "not_found")
        assert failure(bob.put(f"/sessions/{session}/shares", json={"shared_with": "bob"})) == (400, "invalid")
    theirs = asked("hello", session)
    theirs["custom_inputs"]["thread_owner"] = "alice"
    assert failure(patient.post("bob", theirs)) == (404, "not_found")
    with patient.client("alice") as alice:
        done = events_in(alice.get(f"/responses/{begun['id']}?stream=true").text)[-1]
        assert done["type"] == "response.completed"
        assert alice.get(f"/sessions/{session}/messages").json()["title"] == "wait 2"
    assert session not in patient.get("bob", "/sessions?limit=1000").text


def test_somebody_who_reads_nothing_is_refused_by_the_data(server: Served, session: str) -> None:
    answer = said(server.post("carol", asked("how many franchises are there?", session)).json())
    assert "48" not in answer


@pytest.mark.parametrize(
    "environment",
    [
        {"MOORING_PROFILE": "work"},
        {"IS_IN_DB_MODEL_SERVING_ENV": "true"},
        {"DATABRICKS_APP_NAME": "mooring"},
    ],
)
def test_there_are_no_tokens_where_databricks_proves_people(environment: dict[str, str]) -> None:
    held = token("alice")
    done = subprocess.run(
        [MOORING, "token", "--as", "alice"],
        env=os.environ | QUIET | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "callers are known by their login to Databricks" in done.stderr
    program = (
        "import sys; from agent.server.tokens import user_of; from agent.settings import Settings\n"
        "from agent.errors import CallerError\n"
        "try: print(user_of(Settings(), sys.argv[1]))\n"
        "except CallerError as error: print('refused')"
    )
    tried = subprocess.run(
        [str(Path(MOORING).with_name("python")), "-c", program, held],
        env=os.environ | QUIET | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tried.stdout, tried.stderr) == ("refused\n", "")


def test_an_app_answers_the_user_whom_its_proxy_forwards(
    lakehouse: Database, stand_in: StandIn, tmp_path: Path, session: str
) -> None:
    held = token("alice")
    alice, bob = (stand_in.workspace.token(name) for name in ("alice", "bob"))
    with served(tmp_path, **app_of(stand_in, lakehouse)) as app:
        mine = app.post(None, asked(QUESTION, session), **{"x-forwarded-access-token": alice})
        assert mine.status_code == 200, mine.text
        assert "franchises" in said(mine.json())
        path = f"/sessions/{session}/messages"
        assert app.get(None, path, **{"x-forwarded-access-token": alice}).status_code == 200
        assert failure(app.get(None, path, **{"x-forwarded-access-token": bob})) == (404, "not_found")
        # Neither a name without its token, nor two people in one request, nor a laptop's token.
        for headers in (
            {"x-forwarded-email": "alice", "x-forwarded-user": "alice"},
            {"x-forwarded-access-token": bob, "x-forwarded-email": "alice"},
            {"x-forwarded-access-token": "dapi-guessed"},
            {"authorization": f"Bearer {held}"},
            {"authorization": f"Bearer {alice}"},
        ):
            assert failure(app.get(None, path, **headers)) == REFUSED
        assert alice not in app.log
    assert stand_in.workspace.users() - {None} == {"alice", "bob"}
