"""Keys: how they are given, and that nothing shows one."""

from __future__ import annotations

import copy
import pickle
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from checkpointer import EncryptionKeyError, GovernedPostgresSaver, Keyring, SealBrokenError

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"2026-11": b"newest key of thirty-two bytes!!", "2025": b"oldest key of thirty-two bytes!!"}
TEXT = {name: f"{name}={b64encode(key).decode()}" for name, key in KEYS.items()}
HERE = "alice", "t"


@pytest.mark.parametrize("between", [" ", ",", "\n", " ,\n", "\r\n"])
def test_keys_are_read_newest_first(between: str) -> None:
    assert Keyring.parse(between.join(TEXT.values())).names == ("2026-11", "2025")


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n".join(TEXT.values()) + "\n")
    assert Keyring.parse(f"file:{file}").names == ("2026-11", "2025")
    with pytest.raises(EncryptionKeyError, match="file of keys"):
        Keyring.parse(f"file:{tmp_path / 'none'}")


SECRET = b64encode(b"a secret of another length").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f"={SECRET}",
        f"a={SECRET}",
        f"a={SECRET[:-3]}",
        f"a={TEXT['2025'][5:-2]}\u00e9=",
        f"a b={SECRET}",
        f"{TEXT['2025']} {TEXT['2025']}",
        f"{'x' * 65}={SECRET}",
        f"ü={TEXT['2025'][5:]}",
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(EncryptionKeyError) as refused:
        Keyring.parse(text)
    assert SECRET[:8] not in str(refused.value)
    assert TEXT["2025"][5:13] not in str(refused.value)


def test_there_is_a_key() -> None:
    with pytest.raises(EncryptionKeyError):
        Keyring({})


def test_nothing_shows_a_key() -> None:
    ring = Keyring(KEYS)
    saver = GovernedPostgresSaver("", encryption=ring)
    for shown in (repr(ring), str(ring), repr(saver), repr(vars(saver))):
        for key in KEYS.values():
            assert key.decode() not in shown
            assert b64encode(key).decode() not in shown
    assert repr(ring) == "Keyring(2026-11, 2025)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ring)
    assert copy.copy(saver)._encryption is ring


def test_what_is_sealed_is_opened_as_what_and_where_it_was_sealed() -> None:
    ring = Keyring(KEYS)
    sealed = ring.at(HERE).seal(b"text", "item", "human")
    assert b"text" not in sealed
    assert ring.at(HERE).open(sealed, "item", "human") == b"text"
    assert ring.at(HERE).seal(b"text", "item", "human") != sealed
    for place, what in (
        (HERE, ("item", "ai")),
        (HERE, ("item",)),
        (HERE, ("itemhuman",)),
        (HERE, ("item", "human", "")),
        (("alice", "t2"), ("item", "human")),
        (("alicet", ""), ("item", "human")),
        (("bob", "t"), ("item", "human")),
    ):
        with pytest.raises(SealBrokenError):
            ring.at(place).open(sealed, *what)


def test_a_value_under_one_name_is_not_opened_under_another() -> None:
    sealed = Keyring(KEYS).at(HERE).seal(b"text", "item")
    renamed = sealed.replace(b"2026-11", b"2026-12")
    with pytest.raises(SealBrokenError):
        Keyring({"2026-12": KEYS["2026-11"]}).at(HERE).open(renamed, "item")


def test_what_equal_content_is_found_by_hangs_on_the_key_and_the_thread() -> None:
    digest = bytes(16)
    rings = Keyring(KEYS), Keyring({"2026-11": KEYS["2025"]})
    found = {ring.at(place).fingerprint(digest) for ring in rings for place in (HERE, ("alice", "t2"), ("bob", "t"))}
    assert len(found) == 6
    assert digest not in found
    assert Keyring(KEYS).at(HERE).fingerprint(digest) in found
