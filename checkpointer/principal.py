"""Who a call is made for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from checkpointer.errors import NoPrincipalError, PrincipalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig

# Longer than any Postgres role name (63 bytes) and any e-mail address (254), short enough for an index.
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated identity.

    Make one from credentials only: a login, a verified token. Never from a request body, a config or a message.

    Args:
        name: The Postgres role, user name or e-mail address that the credentials belong to.
        groups: Names of the groups it is a member of, besides those of which the database knows by its role.
        sees: Asks, with the principal's own credentials, how they see a table of another catalog now, by its name
            `catalog.schema.table`: the fingerprint of its label, None where they may not read it. What was derived from
            such tables is withheld where there is nobody to ask, or no answer. Called on any thread.

    Raises:
        PrincipalError: The name is empty, longer than 255 characters, or cannot be stored; nor can one of a group.
    """

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    sees: Callable[[str], str | None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > MAX_NAME:
            msg = f"A principal's name is a text of 1 to {MAX_NAME} characters."
            raise PrincipalError(msg)
        if not all(map(storable, (self.name, *self.groups))):
            msg = "A name of a principal or a group holds no NUL character and no lone surrogate."
            raise PrincipalError(msg)


PrincipalSource = Callable[["RunnableConfig | None"], "Principal | None"]
"""Finds out for whom a call is made, where a server knows; None for nobody. The config is the call's, if it has one."""

_bound: ContextVar[Principal | None] = ContextVar("mooring_principal", default=None)


@contextmanager
def acting_as(principal: Principal) -> Iterator[Principal]:
    """Bind `principal` to every checkpointer call made inside the block.

    A context variable: it follows LangGraph's worker threads and asyncio tasks, and two requests at once never see
    each other's.
    """
    token = _bound.set(principal)
    try:
        yield principal
    finally:
        _bound.reset(token)


def current_principal(
    default: Principal | PrincipalSource | None = None, config: RunnableConfig | None = None
) -> Principal:
    """Return the bound principal, else `default`.

    Raises:
        NoPrincipalError: There is neither.
    """
    principal = _bound.get() or (default(config) if callable(default) else default)
    if principal is None:
        raise NoPrincipalError
    return principal


def storable(text: str) -> bool:
    """Tell whether a Postgres `text` can hold this string."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
