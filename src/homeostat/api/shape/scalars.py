"""Text with a form of its own: quantities, times, base64. Checks it and puts it in canonical form, in place.

The checks have the shape that `api.shape.structural` compiles: the value, what holds it, its key there, and notes.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from homeostat.api import quantity
from homeostat.kit.clock import written, written_micro

BAD_QUANTITY = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"  # the API's own words
)
# Longer than any time, whatever its fraction.
_TIME_MAX = 64
_SHOWN_MAX = 100
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_LONG_FRACTION = re.compile(r"([.,]\d{6})\d+")


class Malformed(ValueError):
    """A value that does not have the form of its type; the text is the decoder's message."""


@lru_cache(maxsize=4096)
def canonical_quantity(text: str) -> str:
    """The canonical form of a quantity (`1000m` is `1`). Raises Malformed."""
    try:
        return quantity.canonical(text)
    except quantity.QuantityError:
        raise Malformed(BAD_QUANTITY) from None


def check_quantity(value: Any, box: Any, key: Any, notes: object) -> None:
    """Put a quantity in its canonical form."""
    canonical = canonical_quantity(value)
    if canonical != value:
        box[key] = canonical


def _parsed(value: str) -> datetime:
    if len(value) <= _TIME_MAX and _RFC3339.fullmatch(value):
        try:
            return datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", value)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # No day of the calendar, or one before or after all years.
    shown = value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}..."
    raise Malformed(f'parsing time "{shown}" as "2006-01-02T15:04:05Z07:00": cannot parse "{shown}" as "2006"')


@lru_cache(maxsize=4096)
def canonical_time(text: str) -> str:
    """A Time in UTC and whole seconds. Raises Malformed."""
    return written(_parsed(text))


@lru_cache(maxsize=4096)
def canonical_micro_time(text: str) -> str:
    """A MicroTime in UTC and microseconds. Raises Malformed."""
    return written_micro(_parsed(text))


def check_time(value: Any, box: Any, key: Any, notes: object) -> None:
    """Put an RFC 3339 time into UTC and whole seconds."""
    canonical = canonical_time(value)
    if canonical != value:
        box[key] = canonical


def check_micro_time(value: Any, box: Any, key: Any, notes: object) -> None:
    """Put an RFC 3339 time into UTC and microseconds."""
    canonical = canonical_micro_time(value)
    if canonical != value:
        box[key] = canonical


def check_base64(value: Any, box: Any, key: Any, notes: object) -> None:
    """Refuse text that is not standard base64."""
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError):
        bad = re.search(r"[^A-Za-z0-9+/]", value)
        raise Malformed(f"illegal base64 data at input byte {bad.start() if bad else len(value)}") from None
