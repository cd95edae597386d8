"""A session as a sealed text: the user's token, encrypted with a key that all replicas have.

The text is bound to the name of its cookie, so that one console's is nothing to another one on the same host.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeostat.kit import chance

_NONCE_BYTES = 12
KEY_BYTES = 32
# Browsers keep cookies of 4,096 bytes, name and attributes included.
SEALED_BYTES_MAX = 3_900


class TooLong(ValueError):
    """The token does not fit into a cookie."""


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. `token` is empty where the Console's own credentials are used; `expires` is in seconds since the
    epoch; `proof` is what a page must repeat in a header of each request that changes something."""

    user: str
    token: str
    expires: float
    proof: str

    @property
    def key(self) -> str:
        """What tells sessions apart without saying their token."""
        return hashlib.sha256(f"{self.proof}\0{self.token}".encode()).hexdigest()


class Seal:
    """Seals and opens sessions. Raises ValueError on a key that is not of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a session key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def close(self, session: Session, name: str) -> str:
        """The session as the value of the cookie `name`. Raises TooLong."""
        content = orjson.dumps([session.user, session.token, session.expires, session.proof])
        nonce = bytes.fromhex(chance.token_hex(_NONCE_BYTES))
        sealed = base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, content, name.encode())).decode()
        if len(sealed) > SEALED_BYTES_MAX:
            raise TooLong(f"the token is too long for a browser's cookie: {len(session.token)} bytes")
        return sealed

    def open(self, sealed: str, name: str, now: float) -> Session | None:
        """The session in a cookie's value; None when it is not one of ours, was changed, or has ended."""
        try:
            raw = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
            content = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError, binascii.Error, UnicodeEncodeError):
            return None
        user, token, expires, proof = orjson.loads(content)
        return Session(user, token, expires, proof) if now < expires else None
