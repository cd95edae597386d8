"""Clocks and sleep. Units are seconds; the RFC 3339 forms are those of Kubernetes' Time and MicroTime."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import lru_cache

from homeostat.kit import world


def wall() -> float:
    """Seconds since the Unix epoch."""
    return world.current().wall()


def monotonic() -> float:
    """Seconds on a clock that never goes back."""
    return world.current().monotonic()


async def sleep(seconds: float) -> None:
    """Let `seconds` pass."""
    await asyncio.sleep(seconds)


def written(moment: datetime) -> str:
    """A moment in UTC as metav1.Time: whole seconds, four digits for the year."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def written_micro(moment: datetime) -> str:
    """A moment in UTC as metav1.MicroTime."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def rfc3339(epoch_seconds: float) -> str:
    """metav1.Time: whole seconds, UTC, `2026-01-02T03:04:05Z`."""
    return _whole_seconds(int(epoch_seconds))


# Most times that are written are those of the same second.
@lru_cache(maxsize=64)
def _whole_seconds(epoch_seconds: int) -> str:
    return written(datetime.fromtimestamp(epoch_seconds, UTC))


def rfc3339_micro(epoch_seconds: float) -> str:
    """metav1.MicroTime: six fractional digits, UTC, `2026-01-02T03:04:05.000000Z`."""
    return written_micro(datetime.fromtimestamp(epoch_seconds, UTC))


def rfc3339_nano(epoch_seconds: float) -> str:
    """The CRI log's time: nine fractional digits, UTC."""
    whole = int(epoch_seconds)
    nanoseconds = int((epoch_seconds - whole) * 1e9)
    return f"{written(datetime.fromtimestamp(whole, UTC))[:-1]}.{nanoseconds:09d}Z"


def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time. Raises ValueError."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def now_rfc3339() -> str:
    """The wall clock as metav1.Time."""
    return rfc3339(wall())


def now_rfc3339_micro() -> str:
    """The wall clock as metav1.MicroTime."""
    return rfc3339_micro(wall())
