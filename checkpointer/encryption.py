"""Keys that values are encrypted under, and how one value becomes ciphertext.

    Keyring({"2026-11": secrets.token_bytes(32), "2025": old_key})

AES-256-GCM, under a key that is derived for each thread (HMAC-SHA256 over its owner and id) from the named one, with a
random nonce. What a value is (an item's kind, a checkpoint's id, ...) is authenticated with it, so ciphertext that is
moved to another thread or to another place in it is refused. A sealed value is:

    1 byte   9, which no serialised value begins with
    1 byte   length of the key's name, which follows
    12 bytes nonce
    ...      ciphertext, and 16 bytes that authenticate it
"""

from __future__ import annotations

import hmac
import os
import re
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, NoReturn

from checkpointer.errors import ClearRowError, EncryptedRowError, EncryptionKeyError, SealBrokenError
from checkpointer.serializer import SEALED, key_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FINGERPRINT_BYTES = 16
_MOST_PLACES = 512
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FILE = "file:"

Place = tuple[str, str]
"""A thread: its owner and its id."""


class Keyring:
    """Named keys of 256 bits, the newest first: it encrypts, and the others read what was encrypted under them.

    Neither its repr nor an error shows a key, and it cannot be pickled.

    Args:
        keys: By name (letters, digits, `.`, `_` and `-`), the newest first. The name is stored with each value.

    Raises:
        EncryptionKeyError: A key or a name is not fit for use, or the package `cryptography` is missing.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        _cipher_class()
        if not keys:
            msg = "There is no key."
            raise EncryptionKeyError(msg)
        for name, key in keys.items():
            if not _NAME.fullmatch(name):
                msg = "A key's name has 1 to 64 letters, digits, dots, underscores and hyphens."
                raise EncryptionKeyError(msg)
            if len(key) != _KEY_BYTES:
                msg = f"The key {name!r} has not 32 bytes. `openssl rand -base64 32` makes one."
                raise EncryptionKeyError(msg)
        self._keys = dict(keys)
        self.newest = next(iter(self._keys))
        self.at = lru_cache(maxsize=_MOST_PLACES)(self._at)

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read keys, the newest first: `NAME=BASE64`, with spaces, commas or new lines between; or `file:` and a path.

        Raises:
            EncryptionKeyError: It cannot be read. The message shows nothing of the text.
        """
        if text.startswith(_FILE):
            try:
                text = Path(text.removeprefix(_FILE)).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                msg = "The file of keys cannot be read."
                raise EncryptionKeyError(msg) from error
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(re.split(r"[\s,]+", text.strip()), 1):
            name, separator, encoded = entry.partition("=")
            if not separator or name in keys:
                msg = f"Key number {number} has no name of its own. Write NAME=BASE64."
                raise EncryptionKeyError(msg)
            try:
                keys[name] = b64decode(encoded, validate=True)
            except (Base64Error, ValueError):
                msg = f"Key number {number} is not in base64. `openssl rand -base64 32` makes one."
                raise EncryptionKeyError(msg) from None
            if len(keys[name]) != _KEY_BYTES:
                # What looks like a name may be a key without one.
                msg = f"Key number {number} has not 32 bytes. `openssl rand -base64 32` makes one."
                raise EncryptionKeyError(msg)
        return cls(keys)

    @property
    def names(self) -> tuple[str, ...]:
        """The keys' names, the newest first."""
        return tuple(self._keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    def __reduce__(self) -> NoReturn:
        msg = "A keyring is not pickled: keys would be in what it is written to."
        raise TypeError(msg)

    def _at(self, place: Place) -> Seals:
        return Seals(self._keys, place)


class Seals:
    """Encrypts and decrypts the values of one thread."""

    def __init__(self, keys: Mapping[str, bytes], place: Place) -> None:
        from cryptography.exceptions import InvalidTag  # its package is optional

        cipher = _cipher_class()
        self.place = place
        self._invalid = InvalidTag
        self._ciphers: dict[bytes, AESGCM] = {
            name.encode(): cipher(_derived(key, b"mooring values", *place)) for name, key in keys.items()
        }
        newest, key = next(iter(keys.items()))
        self._head = head(newest)
        self._newest = self._ciphers[newest.encode()]
        self._fingerprints = _derived(key, b"mooring fingerprints", *place)

    def seal(self, plain: bytes, *what: str) -> bytes:
        """Encrypt a value under the newest key; `what` it is must be said again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._newest.encrypt(nonce, plain, self._head + _joined(*what))

    def open(self, sealed: bytes | None, *what: str) -> bytes:
        """Decrypt a value.

        Raises:
            ClearRowError: It is not encrypted.
            EncryptedRowError: Its key is not among those that are known.
            SealBrokenError: It is not what was encrypted here as that.
        """
        if not sealed or sealed[0] != SEALED:
            raise ClearRowError(*self.place)
        end = 2 + sealed[1] if len(sealed) > 1 else 2
        name = sealed[2:end]
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise EncryptedRowError(key_name(sealed))
        nonce, body = sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, sealed[:end] + _joined(*what))
        except (self._invalid, ValueError):
            raise SealBrokenError(*self.place, key_name(sealed)) from None

    def fingerprint(self, digest: bytes) -> bytes:
        """Return what equal content of this thread is found by, which tells nothing of it without the key."""
        return hmac.digest(self._fingerprints, digest, "sha256")[:_FINGERPRINT_BYTES]


def head(name: str) -> bytes:
    """Return what every value begins with that is sealed under the key of this name."""
    encoded = name.encode()
    return bytes([SEALED, len(encoded)]) + encoded


def _derived(key: bytes, *parts: bytes | str) -> bytes:
    return hmac.digest(key, _joined(*parts), "sha256")


def _joined(*parts: bytes | str) -> bytes:
    """Return bytes that no other parts give."""
    encoded = [part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part for part in parts]
    return b"".join(pack("!I", len(part)) + part for part in encoded)


def _cipher_class() -> type[AESGCM]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:  # its package is optional
        msg = "Encryption needs the package cryptography: pip install 'mooring[encryption]'."
        raise EncryptionKeyError(msg) from error
    return AESGCM
