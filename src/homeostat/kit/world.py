"""The world a program runs in: its source of time and of randomness.

One world is current per process. Real programs use `RealWorld`; the simulation installs a `SeededWorld`
together with the virtual-time loop (`kit.virtual`). Outside `kit` nothing reads a clock or draws a random number.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

# Real randomness is fetched for so many draws of so many bits (a UUID's) at once.
_ENTROPY_BITS = 128
_ENTROPY_DRAWS = 64
# How often a clock that follows a file looks into it, and how far off it may be: ten years.
_LOOK_SECONDS = 0.2
_SHIFT_SECONDS_MAX = 10 * 366 * 86_400.0


class World(Protocol):
    """Time and chance. All times are seconds as floats."""

    @property
    def random(self) -> random.Random:
        """The only source of random numbers."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...


class _Entropy(random.SystemRandom):
    """The operating system's randomness, fetched in blocks: a call for each draw would give up the interpreter lock,
    which a busy thread then has to get back. A forked child throws away what its parent had fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn: list[bytes] = []
        os.register_at_fork(after_in_child=self._drawn.clear)

    def getrandbits(self, k: int, /) -> int:
        """A number of `k` random bits."""
        if not 0 < k <= _ENTROPY_BITS:
            return super().getrandbits(k)
        try:
            # One step, whatever thread draws: no two get the same.
            drawn = self._drawn.pop()
        except IndexError:
            size = _ENTROPY_BITS // 8
            block = os.urandom(size * _ENTROPY_DRAWS)
            drawn = block[:size]
            self._drawn.extend([block[at : at + size] for at in range(size, len(block), size)])
        return int.from_bytes(drawn, "big") >> (_ENTROPY_BITS - k)


class RealWorld:
    """The machine's clocks and the operating system's randomness."""

    def __init__(self) -> None:
        self._random = _Entropy()

    @property
    def random(self) -> random.Random:
        """Numbers from the operating system's entropy."""
        return self._random

    def wall(self) -> float:
        """Seconds since the Unix epoch, from the machine."""
        return time.time()

    def monotonic(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()


class ShiftedWorld(RealWorld):
    """The machine's world, but for the wall clock: it is ahead by the seconds that `file` holds (behind, where they are
    negative; right, where there is no such file). Linux has one wall clock for all who share a kernel: so a program
    that is to have another one follows a file. The monotonic clock advances evenly, as in a machine whose time is set.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._shift = 0.0
        self._look_at = 0.0

    def wall(self) -> float:
        """Seconds since the Unix epoch, as far off as the file says."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            self._shift = read_shift(self._file)
        return time.time() + self._shift


def read_shift(file: Path) -> float:
    """How far a clock that follows `file` is ahead, in seconds; 0 where the file does not say."""
    try:
        shift = float(file.read_text())
    except (OSError, ValueError):
        return 0.0
    return shift if abs(shift) < _SHIFT_SECONDS_MAX else 0.0


class SeededWorld:
    """Virtual time of the running loop and chance from a seed; the same seed gives the same run."""

    def __init__(self, *, seed: int, epoch: float = 1_800_000_000.0) -> None:
        self.seed = seed
        self._epoch = epoch
        self._random = random.Random(seed)

    @property
    def random(self) -> random.Random:
        """Numbers that depend on the seed and the order of draws only."""
        return self._random

    def wall(self) -> float:
        """The epoch plus the loop's virtual time."""
        return self._epoch + self.monotonic()

    def monotonic(self) -> float:
        """The running loop's time (virtual under `kit.virtual`)."""
        return asyncio.get_running_loop().time()


class _Middle(random.Random):
    """Draws names and choices as usual, but of a range always the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class EvenWorld(SeededWorld):
    """A seeded world without jitter: pauses do not depend on who drew before, so a story keeps its times."""

    def __init__(self, *, seed: int, epoch: float = 1_800_000_000.0) -> None:
        super().__init__(seed=seed, epoch=epoch)
        self._random = _Middle(seed)


_current: World = RealWorld()


def current() -> World:
    """The world of this process."""
    return _current


def follow(file: Path) -> None:
    """For the rest of this process's life the wall clock is off by what `file` says."""
    global _current
    _current = ShiftedWorld(file)


@contextmanager
def use(world: World) -> Iterator[World]:
    """Make `world` current for the block; restores the former one."""
    global _current
    before, _current = _current, world
    try:
        yield world
    finally:
        _current = before
