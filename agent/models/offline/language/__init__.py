"""From the words of a question to the parts of its clauses.

`words`, `dates` and `grammar` know English, `lexicon` reads words as items with all that they may mean in the schema,
and `speech` (with `cursor` and `orders`) finds which part each plays: the `draft` of a clause.
"""

from __future__ import annotations
