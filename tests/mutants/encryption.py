"""What keeps sessions closed to whoever reads the database; and how each is taken away."""

from __future__ import annotations

from tests.mutants.mutant import FUNCTIONS, KEYS, RESEALED, SEALED, SHARING, Mutant

RING = "checkpointer/encryption.py"
LAYER = "checkpointer/sealing.py"
AGAIN = "checkpointer/resealing.py"

ENCRYPTION = [
    # --- nothing in the clear -----------------------------------------------------------------------------------------
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
        "titles are encrypted",
        LAYER,
        'return {"title": None, "sealed_title"',
        'return {"title": title, "sealed_title_too"',
        (SEALED,),
    ),
    Mutant(
        "digests are keyed",
        LAYER,
        '"digests": Blobs(map(seals.fingerprint, p["digests"])),',
        "",
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
        "a statement that is not known is refused",
        LAYER,
        '"delete_expired", "prune_expired",',
        '"delete_expired", "prune_expired", "something_new",',
        (SEALED,),
    ),
    # --- nothing else believed ----------------------------------------------------------------------------------------
    Mutant(
        "what is in the clear is refused",
        RING,
        "            raise ClearRowError(*self.place)\n",
        '            return sealed or b""\n',
        (SEALED,),
    ),
    Mutant(
        "a message in the clear is refused",
        LAYER,
        "    if text is not None:\n        raise ClearRowError(*with_.seals.place)\n",
        "    if text is not None:\n        return text, None, b''\n",
        (SEALED,),
    ),
    Mutant(
        "a title in the clear is refused",
        LAYER,
        "        if title is not None:\n            raise ClearRowError(owner, thread_id)\n",
        "",
        (SEALED,),
    ),
    Mutant(
        "a value is of its thread",
        RING,
        'name.encode(): cipher(_derived(key, b"mooring values", *place))',
        'name.encode(): cipher(_derived(key, b"mooring values"))',
        (SEALED,),
    ),
    Mutant(
        "a value is of its place in the thread",
        RING,
        "sealed[:end] + _joined(*what))",
        "sealed[:end])",
        (SEALED,),
    ),
    Mutant(
        "an item is of its kind",
        LAYER,
        '    return seals.seal(digest + (message.encode() if message is not None else value or b""), ITEM, kind)',
        '    return seals.seal(digest + (message.encode() if message is not None else value or b""), ITEM)',
        (SEALED,),
    ),
    Mutant(
        "a copy vouches for where it comes from under its own seal",
        LAYER,
        "json.loads(seals.open(places, PLACES))]",
        "json.loads(places)]",
        (SEALED,),
    ),
    Mutant(
        "a copy of a copy vouches for both",
        LAYER,
        "return list(dict.fromkeys([place, *vouched(self.ring.at(place), stored)]))",
        "return [place]",
        (SEALED,),
    ),
    Mutant(
        "a saver without keys copies nothing that is encrypted",
        FUNCTIONS,
        '    perform :"schema".refuse_sealed(t.id) from',
        "    perform from",
        (SEALED,),
    ),
    Mutant(
        "a saver without keys gives nothing away that is encrypted",
        SHARING,
        '    perform :"schema".refuse_sealed(it.id);',
        "    null;",
        (SEALED,),
    ),
    # --- keys ---------------------------------------------------------------------------------------------------------
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
    Mutant(
        "a key that cannot be read is not quoted",
        RING,
        'msg = f"Key number {number} is not in base64. ',
        'msg = f"Key {entry} is not in base64. ',
        (KEYS,),
    ),
    # --- what is there already ----------------------------------------------------------------------------------------
    Mutant(
        "fingerprints are made anew with the key",
        AGAIN,
        '"digest": with_.seals.fingerprint(digest),',
        '"digest": digest,',
        (RESEALED,),
    ),
    Mutant(
        "what a copy vouches for is encrypted under the newest key",
        AGAIN,
        '"places": None if places is None else seal_places(seals, vouched(seals, places)),',
        '"places": None,',
        (RESEALED,),
    ),
    Mutant(
        "a held thread is left as it is",
        AGAIN,
        "if dry_run or is_held:",
        "if dry_run:",
        (RESEALED,),
    ),
    Mutant(
        "metadata that is not read keeps all ancestors",
        AGAIN,
        "return json.dumps(_UNKNOWN)",
        'return "{}"',
        (RESEALED,),
    ),
]
