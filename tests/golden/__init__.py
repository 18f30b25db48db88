"""Sessions as an earlier release stored them, row for row: `sessions.jsonl`.

`python -m tests.golden` makes the file anew.
"""

from __future__ import annotations
