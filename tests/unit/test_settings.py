"""Settings come from the environment, and callers' logins never from the service identity's credentials."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from agent import external, local
from agent.database import Database, open_database
from agent.errors import MooringError
from agent.memory import keyring_of
from agent.settings import Settings


@pytest.fixture(autouse=True)
def no_password_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))


def opened() -> Database:
    with open_database(Settings()) as database:
        return database


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOORING_HOME", str(tmp_path))
    monkeypatch.setenv("MOORING_USER", "bob")
    monkeypatch.setenv("MOORING_MODEL", "")

    settings = Settings()

    assert (settings.home, settings.user, settings.model) == (tmp_path, "bob", "offline")
    assert not settings.external


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MOORING_APPROVE", "canary"),
        ("MOORING_TURNS", "0"),
        ("MOORING_CONNECTIONS", "0"),
        ("MOORING_TURN_SECONDS", "0"),
        ("MOORING_TURN_SECONDS", "nan"),
        ("MOORING_GRACE_SECONDS", "-1"),
        ("MOORING_GRACE_SECONDS", "inf"),
        ("MOORING_TRACE_SAMPLING", "canary"),
    ],
)
def test_a_setting_that_cannot_be_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(MooringError) as refused:
        Settings()
    assert variable in str(refused.value)
    assert "canary" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize("variable", ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "MOORING_DATABASE_URL"])
def test_naming_a_server_means_another_postgres(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "dbname=elsewhere" if variable.startswith("MOORING") else "elsewhere")

    database = opened()

    assert not database.embedded
    assert (database.default_user, database.superuser, database.admin) == (None, None, None)


@pytest.mark.parametrize("variable", ["PGUSER", "PGPASSWORD", "PGPORT"])
def test_half_a_login_does_not(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "5")

    assert not Settings().external


def test_passwords_of_urls_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_DATABASE_URL", "postgresql://service:geheim@db.example.com/main")
    monkeypatch.setenv("MOORING_ADMIN_URL", "postgresql://migrator:geheim@db.example.com/main")

    assert "geheim" not in repr(Settings()) + repr(opened())


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_ENCRYPTION_KEYS", "new=geheim")

    assert Settings().encryption_keys == "new=geheim"
    assert "geheim" not in repr(Settings())
    with pytest.raises(MooringError, match="MOORING_ENCRYPTION_KEYS") as refused:
        keyring_of(Settings())
    assert "geheim" not in str(refused.value)


def test_an_unreadable_url_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_DATABASE_URL", "password geheim")

    with pytest.raises(external.ConnectionStringError) as caught:
        opened()

    assert "MOORING_DATABASE_URL" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_caller_logs_in_at_the_same_address_without_the_services_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "postgresql://service:geheim@db.example.com:6543/main?sslmode=require&sslcert=/s.crt&sslpassword=geheim"
    monkeypatch.setenv("MOORING_DATABASE_URL", url)

    login = conninfo_to_dict(opened().login("alice"))

    assert login == {
        "host": "db.example.com",
        "port": "6543",
        "dbname": "main",
        "sslmode": "require",
        "sslcert": "",
        "user": "alice",
        "password": "",
    }


def test_a_caller_uses_the_database_of_the_service_when_only_its_user_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MOORING_DATABASE_URL", "host=db.example.com user=service")

    assert conninfo_to_dict(opened().login("alice"))["dbname"] == "service"


def test_pg_variables_give_the_address_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "h", "DATABASE": "d", "PORT": "7", "USER": "service", "PASSWORD": "geheim"}.items():
        monkeypatch.setenv("PG" + name, value)

    database = opened()

    assert database.runtime == ""
    login = {"host": "h", "dbname": "d", "port": "7", "user": "alice", "password": "", "sslcert": ""}
    assert conninfo_to_dict(database.login("alice")) == login


def test_a_service_section_of_the_caller_is_a_login_and_the_services_own_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "services").write_text(
        "[main]\nhost=db.example.com\ndbname=main\nuser=service\npassword=geheim\n"
        "[other]\nhost=other.example.com\nuser=alice\npassword=x\n"
        "[alice]\nhost=db.example.com\nuser=alice\npassword=y\n"
    )
    monkeypatch.setenv("MOORING_DATABASE_URL", "service=main")

    alice, bob = (conninfo_to_dict(opened().login(user)) for user in ("alice", "bob"))

    address = {"host": "db.example.com", "dbname": "main", "port": "5432", "sslcert": ""}
    assert alice == address | {"user": "alice", "service": "alice"}
    assert bob == address | {"user": "bob", "password": ""}


@pytest.mark.parametrize("user", ["", " ", "al\0ice"])
def test_a_name_that_libpq_would_replace_is_refused(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    monkeypatch.setenv("PGHOST", "h")

    with pytest.raises(external.LoginError):
        opened().login(user)


@pytest.mark.parametrize(
    ("variable", "surface"),
    [
        ("IS_IN_DB_MODEL_SERVING_ENV", "Model Serving"),
        ("DATABRICKS_MODEL_SERVING_HOST_URL", "Model Serving"),
        ("DATABRICKS_APP_NAME", "Databricks Apps"),
        ("DATABRICKS_APP_PORT", "Databricks Apps"),
    ],
)
def test_the_embedded_server_never_starts_in_a_container_that_is_thrown_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, surface: str
) -> None:
    monkeypatch.setenv("MOORING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "true")

    for attempt in (opened, lambda: local.start(tmp_path / "home")):
        with pytest.raises(local.DatabaseNotConfiguredError, match=rf"{surface}.*lost.*MOORING_DATABASE_URL.*PGHOST"):
            attempt()

    assert not (tmp_path / "home").exists()


def test_with_a_database_configured_such_a_container_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_IN_DB_MODEL_SERVING_ENV", "true")
    monkeypatch.setenv("PGHOST", "lakebase.example.com")

    assert not opened().embedded
