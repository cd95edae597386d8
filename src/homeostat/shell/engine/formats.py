"""How docker writes lengths of time, sizes, times and cut words. Pure.

The steps are those of docker's go-units: a duration loses its smaller units, a size has four digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

_DAY_HOURS = 24
ELLIPSIS = "…"


def human_duration(seconds: float) -> str:
    """`3 seconds`, `About a minute`, `2 weeks`."""
    if seconds < 1:
        return "Less than a second"
    whole = int(seconds)
    minutes = whole // 60
    hours = int(seconds / 3600 + 0.5)
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 2 * _DAY_HOURS:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for name, size, below in (("days", 1, 14), ("weeks", 7, 60), ("months", 30, 730)):
        if hours < below * _DAY_HOURS:
            return f"{hours // (size * _DAY_HOURS)} {name}"
    return f"{int(seconds / 3600 / _DAY_HOURS / 365)} years"


def human_size(size: float, *, digits: int = 4) -> str:
    """Decimal units: `1.24MB`; images are written with three digits."""
    return _sized(size, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB"), digits)


def binary_size(size: float) -> str:
    """Binary units: `12.5MiB`, as `docker stats` has them."""
    return _sized(size, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"), 4)


def _sized(size: float, base: float, units: Sequence[str], digits: int) -> str:
    place = 0
    while size >= base and place < len(units) - 1:
        size /= base
        place += 1
    return f"{size:.{digits}g}{units[place]}"


def docker_time(seconds: float) -> str:
    """`2026-11-26 03:00:00 +0000 UTC`, in the zone of the node (TZ)."""
    moment = datetime.fromtimestamp(int(seconds)).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S %z %Z")


def go_time(nanoseconds: int) -> str:
    """RFC 3339 with nanoseconds; Go's zero time for 0."""
    if nanoseconds <= 0:
        return "0001-01-01T00:00:00Z"
    whole, part = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{part:09d}".rstrip("0") if part else ""
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def ellipsis(text: str, width: int) -> str:
    """At most `width` characters, the last of them an ellipsis when something was cut."""
    return text if len(text) <= width else text[: width - 1] + ELLIPSIS


def short_id(identifier: str) -> str:
    """The 12 characters that docker shows of an ID."""
    return identifier.removeprefix("sha256:")[:12]


def columns(lines: Sequence[Sequence[str]], *, gap: int = 3, narrowest: int = 10) -> list[str]:
    """Lines of cells below one another; the last cell of a line ends it."""
    widths = [0] * max((len(line) for line in lines), default=0)
    for line in lines:
        for place, cell in enumerate(line[:-1]):
            widths[place] = max(widths[place], len(cell) + gap, narrowest)
    return [
        "".join(cell.ljust(widths[place]) for place, cell in enumerate(line[:-1])) + (line[-1] if line else "")
        for line in lines
    ]


def parse_go_time(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time with any number of digits; 0 for none."""
    if not text:
        return 0.0
    head, dot, tail = text.replace("Z", "+00:00").partition(".")
    end = next((place for place, letter in enumerate(tail) if not letter.isdigit()), len(tail))
    fraction = float(f"0.{tail[:end]}") if dot and end else 0.0
    return datetime.fromisoformat(head + tail[end:]).timestamp() + fraction


def ago(now: float, then: float) -> str:
    """`3 weeks ago`; `N/A` for what has no time."""
    return f"{human_duration(now - then)} ago" if then > 0 else "N/A"
