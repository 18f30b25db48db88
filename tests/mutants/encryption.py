"""What keeps sessions closed to whoever reads the database; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import KEYS, SEALED, Mutant

RING = "checkpointer/encryption.py"
LAYER = "checkpointer/sealing.py"

ENCRYPTION = [
    Mutant(
        "messages are encrypted",
        LAYER,
        '"messages": Texts([None] * len(kinds)),',
        '"messages": p["messages"],',
        (SEALED,),
    ),
    Mutant(
        "writes are encrypted", LAYER, '            "bodies": Blobs(\n', '            "sealed": Blobs(\n', (SEALED,)
    ),
    Mutant(
        "metadata is encrypted",
        LAYER,
        '"metadata": structure_of(metadata),',
        '"metadata": plain_to_json(metadata),',
        (SEALED,),
    ),
    Mutant(
        "a fingerprint is of its thread",
        RING,
        'b"mooring fingerprints", *place)',
        'b"mooring fingerprints")',
        (KEYS,),
    ),
    Mutant(
        "a keyring is not pickled",
        RING,
        "    def __reduce__(self)",
        "    def reduce(self)",
        (KEYS,),
    ),
    Mutant(
        "a ring shows no key",
        RING,
        "return f\"Keyring({', '.join(self._keys)})\"",
        'return f"Keyring({self._keys})"',
        (KEYS,),
    ),
]
