"""Numbers in a request's query, read as Go's strconv reads them: whole, of 64 bits, and else a clear 400."""

from __future__ import annotations

import re
from collections.abc import Mapping

from homeostat.api import errors

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_SHOWN_MAX = 60


def integer(query: Mapping[str, str], name: str, *, unsigned: bool = False) -> int | None:
    """The parameter's value, None where it is absent or empty. Raises 400."""
    text = query.get(name, "")
    if not text:
        return None
    function = "ParseUint" if unsigned else "ParseInt"
    if not _INTEGER.fullmatch(text) or (unsigned and not text[0].isdigit()):
        raise _refused(function, text, "invalid syntax")
    value = int(text)
    if not (0 <= value < 1 << 64 if unsigned else -1 << 63 <= value < 1 << 63):
        raise _refused(function, text, "value out of range")
    return value


def _refused(function: str, text: str, why: str) -> errors.ApiError:
    shown = text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
    return errors.bad_request(f'strconv.{function}: parsing "{shown}": {why}')
