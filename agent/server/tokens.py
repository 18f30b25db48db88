"""Bearer tokens of a laptop: whoever can read the installation's key is its owner, and may act as its people.

They are for `mooring serve` beside an embedded Postgres. Where Databricks proves its callers there are none.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from agent.errors import CallerError
from agent.local.ephemeral import ephemeral_surface

if TYPE_CHECKING:
    from pathlib import Path

    from agent.settings import Settings

HOURS = 12
_KEY = "token.key"


def refuse_where_proven(settings: Settings) -> None:
    """Raise CallerError where Databricks says who somebody is."""
    where = ephemeral_surface() or ("a profile of Databricks" if settings.profile else None)
    if where is not None:
        problem = f"With {where} callers are known by their login to Databricks, and not by tokens of ours"
        raise CallerError(problem, "unset MOORING_PROFILE on a laptop, or call as a user of the workspace")


def issue(settings: Settings, user: str) -> str:
    """Return a token that says: the owner of this installation asks as `user`.

    It proves nothing about the user's own login, which happens at every use.
    """
    refuse_where_proven(settings)
    return _signer(_key(settings.home)).dumps(user)


def user_of(settings: Settings, token: str, hours: float = HOURS) -> str:
    """Return whom a token is for.

    Raises:
        CallerError: It is not one of this installation's, or too old.
    """
    refuse_where_proven(settings)
    remedy = "make a new one with `mooring token --as NAME`"
    try:
        user = _signer(_key(settings.home)).loads(token, max_age=round(hours * 3600))
    except SignatureExpired:
        raise CallerError("The token is too old", remedy) from None
    except BadSignature:
        raise CallerError("The token is not one of this installation's", remedy) from None
    return str(user)


def _signer(key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt="mooring caller")


def _key(home: Path) -> str:
    """Return the installation's key, made with the first token."""
    path = home / _KEY
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / f".{_KEY}.{secrets.token_hex(8)}"
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            # The first of several at once wins, and nobody reads half a key.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()
