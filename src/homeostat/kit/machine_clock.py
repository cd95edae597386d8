"""The machine's own clock, for a program too small to load an event loop (a container's shim).

Such a program is a real process beside real processes: it never runs under virtual time. All others use `kit.clock`.
"""

from __future__ import annotations

import time


def wall_nanoseconds() -> int:
    """Nanoseconds since the Unix epoch."""
    return time.time_ns()


def rfc3339_nano(nanoseconds: int) -> str:
    """The CRI log's time: nine fractional digits, UTC."""
    whole, fraction = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:09d}Z"


def wall() -> float:
    """Seconds since the Unix epoch."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that never goes back."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Let real time pass in a program without an event loop."""
    time.sleep(seconds)
