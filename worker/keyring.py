"""The keys of this installation: AES-256-GCM for what Temporal stores and for merchants' credentials.

A ring is JSON, `{"current": "k2", "keys": {"k1": "<base64 of 32 bytes>", "k2": ...}}`. New things are sealed with the current
key, old ones opened with the key they name: so rotating adds a key, and an old key goes only when nothing is sealed with it
any more. What is sealed says what it is for, inside the authenticated data: a payload of one namespace cannot be opened as
another's, a credential of one merchant not as another's.
"""

import base64
import binascii
import json
import re
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CREDENTIAL = b"LB1"


class KeyRingError(Exception):
    """A ring that cannot be read, or something that cannot be opened with it; says which key and what to do."""


@dataclass(frozen=True)
class KeyRing:
    """Keys by id, and which of them seals. Never shows a key."""

    current: str
    _keys: dict[str, bytes] = field(repr=False)
    _ciphers: dict[str, AESGCM] = field(repr=False, compare=False)

    @classmethod
    def of(cls, current: str, keys: dict[str, bytes]) -> "KeyRing":
        """A ring of raw keys of 32 bytes."""
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise KeyRingError("a key id has 1 to 32 letters, digits, '.', '_' or '-'")
            if len(key) != 32:
                raise KeyRingError(f"key {key_id} has {len(key)} bytes; AES-256 needs 32")
        if current not in keys:
            raise KeyRingError(
                f"the current key {current[:32]!r} is not in the ring; known are {', '.join(sorted(keys)) or 'none'}"
            )
        return cls(current, dict(keys), {key_id: AESGCM(key) for key_id, key in keys.items()})

    @classmethod
    def new(cls) -> "KeyRing":
        """A ring with one fresh random key."""
        return cls.of("k1", {"k1": secrets.token_bytes(32)})

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read a ring. Errors never quote the text."""
        try:
            ring = json.loads(text)
            current, encoded = ring["current"], dict(ring["keys"])
        except (ValueError, TypeError, KeyError):
            raise KeyRingError('is not a key ring: expected {"current": "k1", "keys": {"k1": "<base64 of 32 bytes>"}}') from None
        keys = {}
        for key_id, value in encoded.items():
            try:
                keys[str(key_id)] = base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise KeyRingError(f"key {str(key_id)[:32]!r} is not base64") from None
        return cls.of(str(current), keys)

    def dump(self) -> str:
        """The ring as JSON, keys in the clear: for a file that only its owner can read."""
        keys = {key_id: base64.b64encode(key).decode() for key_id, key in self._keys.items()}
        return json.dumps({"current": self.current, "keys": keys}, indent=2) + "\n"

    def add(self) -> "KeyRing":
        """A ring with one more key, which opens but does not seal yet: give it to every process before it is used."""
        return KeyRing.of(self.current, self._keys | {self._next_id(): secrets.token_bytes(32)})

    def use(self, key_id: str) -> "KeyRing":
        """The same ring, sealing with another of its keys from now on."""
        return KeyRing.of(key_id, self._keys)

    def rotate(self) -> "KeyRing":
        """A ring with one more key, which seals from now on. All former keys stay and still open."""
        return self.add().use(self._next_id())

    def _next_id(self) -> str:
        taken = [int(key_id[1:]) for key_id in self._keys if re.fullmatch(r"k[0-9]{1,9}", key_id)]
        return f"k{max(taken, default=0) + 1}"

    @property
    def key_ids(self) -> list[str]:
        return sorted(self._keys)

    def encrypt(self, plaintext: bytes, *context: str) -> tuple[str, bytes]:
        """Seal with the current key: its id, and nonce + ciphertext. The context must be given again to open."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self.current].encrypt(nonce, plaintext, _bound(self.current, *context))
        return self.current, nonce + sealed

    def decrypt(self, key_id: str, sealed: bytes, *context: str) -> bytes:
        """Open what `encrypt` made with the same context. Raises `KeyRingError`."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            shown = key_id if _KEY_ID.fullmatch(key_id) else "(unreadable)"
            raise KeyRingError(f"sealed with key {shown}, which is not in the ring: add it to LAGERBRO_KEYS again")
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(key_id, *context))
        except (InvalidTag, ValueError):
            raise KeyRingError(f"sealed with key {key_id}, but changed since, for another purpose, or with another key") from None

    def seal(self, merchant: str, purpose: str, plaintext: str) -> bytes:
        """Seal a merchant's credential for the database."""
        key_id, sealed = self.encrypt(plaintext.encode(), "credential", merchant, purpose)
        return _CREDENTIAL + bytes([len(key_id)]) + key_id.encode() + sealed

    def open(self, merchant: str, purpose: str, sealed: bytes) -> str:
        """Open a merchant's credential. The error names merchant, purpose, key and remedy, never the content."""
        what = f"the credential {purpose} of merchant {merchant}"
        start, stop = len(_CREDENTIAL) + 1, len(_CREDENTIAL) + 1 + (sealed[3] if len(sealed) > 3 else 0)
        if not sealed.startswith(_CREDENTIAL) or len(sealed) < stop + NONCE_BYTES:
            raise KeyRingError(f"{what} is not sealed as ours are: store it again")
        key_id = sealed[start:stop].decode("ascii", errors="replace")
        try:
            return self.decrypt(key_id, sealed[stop:], "credential", merchant, purpose).decode()
        except KeyRingError as why:
            raise KeyRingError(f"{what} cannot be opened: {why}; or store the credential again") from None


def _bound(key_id: str, *context: str) -> bytes:
    """The authenticated data: every part with its length, so that no two contexts look the same."""
    parts = [part.encode() for part in (*context, key_id)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
