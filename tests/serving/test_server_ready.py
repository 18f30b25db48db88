"""`/ready` asks the model as well: rarely, as nobody, and without telling what its provider says."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from agent.server.readiness import AS_CALLERS
from tests.serving.provider.langchain_ollama import SECRET
from tests.serving.served import PATIENT, app_of, served

if TYPE_CHECKING:
    from pathlib import Path

    from agent.database import Database
    from tests.databricks.stand_in import StandIn


def calls(folder: Path) -> int:
    path = folder / "calls"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_model_is_asked_once_for_many_who_want_to_know(lakehouse: Database, tmp_path: Path) -> None:
    with served(tmp_path, **PATIENT, PROVIDER=str(tmp_path)) as server, ThreadPoolExecutor(8) as pool:
        assert calls(tmp_path) == 0
        found = list(pool.map(lambda _: server.get(None, "/ready"), range(16)))
        assert {(each.status_code, each.text) for each in found} == {(200, '{"status":"ready"}')}
        assert calls(tmp_path) == 1


def test_a_model_that_fails_is_told_of_without_its_words_and_asked_again(lakehouse: Database, tmp_path: Path) -> None:
    down = tmp_path / "down"
    down.touch()
    with served(tmp_path, **PATIENT, PROVIDER=str(tmp_path)) as server:
        away = server.get(None, "/ready")
        assert (away.status_code, away.json()["status"]) == (503, "unavailable")
        assert "does not answer (ConnectionError)" in away.json()["reason"]
        assert SECRET not in away.text + server.log
        assert server.get(None, "/health").status_code == 200
        down.unlink()
        end = time.monotonic() + 20
        while server.get(None, "/ready").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert calls(tmp_path) == 2


def test_a_model_that_takes_its_time_keeps_nobody_waiting(lakehouse: Database, tmp_path: Path) -> None:
    (tmp_path / "slow").write_text("8")
    with served(tmp_path, **PATIENT, PROVIDER=str(tmp_path)) as server:
        start = time.monotonic()
        away = server.get(None, "/ready")
        assert (away.status_code, round(time.monotonic() - start)) == (503, 5)
        assert "has not answered within 5 seconds" in away.json()["reason"]
        # Its late answer counts.
        assert server.get(None, "/ready").status_code == 200
        assert calls(tmp_path) == 1


def test_a_model_without_its_key_is_not_ready(lakehouse: Database, tmp_path: Path) -> None:
    with served(tmp_path, MOORING_MODEL="openai:gpt-5", OPENAI_API_KEY="") as server:
        away = server.get(None, "/ready")
        assert (away.status_code, away.json()["status"]) == (503, "unavailable")


def test_a_model_that_needs_its_caller_s_credentials_is_not_asked(
    lakehouse: Database, stand_in: StandIn, tmp_path: Path
) -> None:
    with served(tmp_path, **app_of(stand_in, lakehouse), MOORING_MODEL="databricks:chat") as app:
        assert app.get(None, "/ready").json() == {"status": "ready", "model": AS_CALLERS}
        assert stand_in.workspace.sent("/serving-endpoints") == []
