"""Logging: one line a record, `time level component: message`, to standard error."""

from __future__ import annotations

import logging
import sys

from homeostat.kit import world


def logger(name: str) -> logging.Logger:
    """The logger `homeostat.NAME`."""
    return logging.getLogger(f"homeostat.{name}")


class _Formatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        from homeostat.kit.clock import rfc3339_micro

        return rfc3339_micro(world.current().wall())


def configure(*, verbose: bool = False) -> None:
    """Send this process's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s"))
    root = logging.getLogger("homeostat")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
