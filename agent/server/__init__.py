"""The agent behind HTTP: MLflow's `AgentServer` application, with sessions, callers and turns that outlive requests.

`mooring serve` runs it. `app` puts it together, `callers` and `tokens` say who asks, `running` runs turns, `responses`
and `sessions` are the routes.
"""

from __future__ import annotations
