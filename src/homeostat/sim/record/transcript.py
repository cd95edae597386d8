"""What happened in a simulated run, as text: virtual time, what it was about, and in a few words what.

The same seed gives the same transcript, byte for byte. Lines have a level: the story (faults, milestones), the writes
that change something, and the noise of heartbeats, leases and events; `digest` covers them all.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

from homeostat.kit import clock


class Level(IntEnum):
    """How much a line matters: lower levels matter more."""

    STORY = 0
    WRITE = 1
    NOISE = 2


class Transcript:
    """Lines in the order in which they were said. Noise is kept only when `keep` says so; the digest has it anyway."""

    def __init__(self, *, keep: Level = Level.WRITE) -> None:
        self._keep = keep
        self._lines: list[tuple[Level, str]] = []
        self._hash = hashlib.sha256()

    def say(self, what: str, text: str, level: Level = Level.STORY) -> None:
        """Add a line."""
        line = f"{clock.monotonic():10.3f}  {what:<7} {text}"
        self._hash.update(line.encode() + b"\n")
        if level <= self._keep:
            self._lines.append((level, line))

    def stir(self, data: bytes) -> None:
        """Count what no line shows into the digest."""
        self._hash.update(data)

    def lines(self, level: Level = Level.NOISE) -> list[str]:
        """The kept lines up to `level`."""
        return [line for known, line in self._lines if known <= level]

    def text(self, level: Level = Level.NOISE) -> str:
        """The kept lines up to `level`, as one text."""
        return "".join(f"{line}\n" for line in self.lines(level))

    def digest(self) -> str:
        """A fingerprint of everything that was said and stirred in."""
        return self._hash.hexdigest()
