"""Go durations (`1h2m3.5s`, `300ms`) as seconds: what flags and a few API fields are written in."""

from __future__ import annotations

import re
from fractions import Fraction

_UNIT_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_term = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NANOSECONDS_MAX = (1 << 63) - 1


class DurationError(ValueError):
    """The text is not a Go duration."""


def parse_nanoseconds(text: str) -> int:
    """Whole nanoseconds. Raises DurationError with Go's message (time.ParseDuration)."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    total, place = Fraction(0), 0
    while place < len(body):
        term = _term.match(body, place)
        if term is None:
            break
        total += Fraction(term[1]) * _UNIT_NANOSECONDS[term[2]]
        place = term.end()
    if not body or place < len(body) or total > _NANOSECONDS_MAX:
        raise DurationError(_complaint(body[place:], text))
    return -int(total) if text[0] == "-" else int(total)


def _complaint(rest: str, text: str) -> str:
    number = re.match(r"\d+(?:\.\d*)?|\.\d+", rest)
    if number is None:
        return f'time: invalid duration "{text}"'
    unit = re.match(r"[^\d.]*", rest[number.end() :])
    if unit is None or not unit[0]:
        return f'time: missing unit in duration "{text}"'
    return f'time: unknown unit "{unit[0]}" in duration "{text}"'


def parse(text: str) -> float:
    """Seconds. Raises DurationError."""
    return parse_nanoseconds(text) / 1e9


def format_nanoseconds(nanoseconds: int) -> str:
    """As Go prints a duration: `1h2m3.5s`, `300ms`, `0s`."""
    sign = "-" if nanoseconds < 0 else ""
    left = abs(nanoseconds)
    if left == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if left < size * 1_000:
            return f"{sign}{_decimal(Fraction(left, size))}{unit}"
    minutes, rest = divmod(left, _UNIT_NANOSECONDS["m"])
    seconds = f"{_decimal(Fraction(rest, _UNIT_NANOSECONDS['s']))}s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: Fraction) -> str:
    whole, part = divmod(value, 1)
    digits = f"{int(part * 1_000_000_000):09d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def format(seconds: float) -> str:
    """Seconds, to the nanosecond, as Go prints them."""
    return format_nanoseconds(round(seconds * 1e9))
