"""How long the differential tests look: the same examples at every run, or FUZZ=n times as many, and other ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_TIMES = int(os.environ.get("FUZZ", "0"))


def budget(examples: int, steps: int) -> settings:
    """Settings for so many examples of so many steps at most."""
    return settings(
        max_examples=examples * max(1, _TIMES),
        stateful_step_count=steps,
        derandomize=_TIMES == 0,
        # A failure is told at once; FUZZ=1 looks for its simplest form as well.
        phases=list(Phase) if _TIMES else [Phase.explicit, Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
