"""The Responses protocol, as MLflow and OpenAI speak it, over the turns of a session.

`incoming` reads a request, `turns` runs it, `outgoing` says what happens as events, `failures` what went wrong.
"""

from __future__ import annotations

from agent.responses.failures import CODES, Failure, FailureError, failure_of
from agent.responses.incoming import Asked, asked_in
from agent.responses.turns import events_of, response_of

__all__ = ["CODES", "Asked", "Failure", "FailureError", "asked_in", "events_of", "failure_of", "response_of"]
