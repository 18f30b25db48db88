"""Whether turns can be answered: the sessions are there, in a schema that this code knows, and the model answers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage

from agent.models import ModelError, load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

# Seconds that an answer of the model's counts, or a failure; and that an old answer counts while it is asked again.
_ANSWERED, _FAILED, _BEFORE = 60.0, 5.0, 300.0
_QUESTION = "Answer with one word: are you there?"
_MEND = "look at its provider and its key, or choose another with MOORING_MODEL"
AS_CALLERS = "asked with each caller's own credentials, and not here"


@dataclass(frozen=True, slots=True)
class _Outcome:
    at: float
    error: ModelError | None


class ModelProbe:
    """Asks a chat model whether it is there, once a minute at most, whoever wants to know. Threads may share it.

    Args:
        name: The model's.
        load: How it is loaded.
    """

    def __init__(self, name: str, load: Callable[[str], BaseChatModel] = load_model) -> None:
        self._name = name.strip()
        self._load = load
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._last: _Outcome | None = None

    @property
    def note(self) -> str | None:
        """Why the model is not asked here; None where it is."""
        return AS_CALLERS if self._name.startswith("databricks:") else None

    def check(self, seconds: float) -> None:
        """Look whether the model answers, and wait for it so long at most.

        Raises:
            ModelError: It does not. Nothing of what its provider said is told.
        """
        if self.note is not None or self._name == "offline":
            return
        with self._lock:
            if not self._fresh() and (self._asking is None or not self._asking.is_alive()):
                self._asking = threading.Thread(target=self._ask, name="mooring-ready", daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None and not self._fresh():
            asking.join(seconds)
        last = self._last
        if last is not None and (self._fresh() or (last.error is None and time.monotonic() - last.at < _BEFORE)):
            if last.error is not None:
                raise ModelError(last.error.problem, last.error.remedy)
            return
        raise ModelError(f"The model {self._name} has not answered within {seconds:.0f} seconds", _MEND)

    def _fresh(self) -> bool:
        last = self._last
        return last is not None and time.monotonic() - last.at < (_ANSWERED if last.error is None else _FAILED)

    def _ask(self) -> None:
        error: ModelError | None = None
        try:
            self._load(self._name).invoke([HumanMessage(_QUESTION)], max_tokens=1)
        except ModelError as refused:
            error = refused
        except Exception as failed:  # noqa: BLE001 - what a provider says may hold a key
            error = ModelError(f"The model {self._name} does not answer ({type(failed).__name__})", _MEND)
        self._last = _Outcome(time.monotonic(), error)
