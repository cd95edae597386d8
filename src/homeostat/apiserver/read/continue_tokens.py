"""`continue` tokens: where a list continues, as an opaque text that any API server understands.

`revision` is the one that every page is read at; -1 means "whatever is current" (the token that comes with 410 Expired,
for clients that rather go on than start again).
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from homeostat.api import errors

EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class Token(msgspec.Struct, frozen=True):
    """`after` is the last key of the page before."""

    v: str
    rv: int
    after: str

    def text(self) -> str:
        """The token as clients carry it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


_decoder = msgspec.json.Decoder(Token)


def token(revision: int, after: str) -> Token:
    """The token for what follows the key `after` at `revision`."""
    return Token("meta.k8s.io/v1", revision, after)


def parse(text: str) -> Token:
    """The token of a request. Raises 400."""
    try:
        return _decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise errors.bad_request(f"continue key is not valid: {error}") from error


def expired(after: str) -> errors.ApiError:
    """410 for a token whose revision is compacted, with a token that continues without consistency."""
    error = errors.expired(EXPIRED)
    error.metadata["continue"] = token(-1, after).text()
    return error
