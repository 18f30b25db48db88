"""From the parts of a clause to a query over the schema.

`resolve` tries every table that a clause may be about and takes the reading that needs the fewest steps. Each part of
speech is resolved in a file of its own, one building on the other: `reading`, `measures`, `conditions`, `ranks`,
`groups`, `denied`. `places` knows which column or table a name means, seen from one table. `followup` changes an
earlier query.
"""

from __future__ import annotations
