"""Which process may write now: a fair lock between processes that wakes its waiter at once.

SQLite's own lock is polled with growing sleeps, which starves and delays writers that compete. This one is two flocks:
only the holder of the first (the turn) may wait for the second (the writing), so a process that has just written
cannot overtake one that waits. The kernel drops both when a process dies. SQLite's lock stays what makes it correct.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class WriteLock:
    """Held by one process at a time. Blocking, so for threads other than the loop's; one holder per instance."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._turn = os.open(folder / "turn.lock", flags, 0o600)
        try:
            self._writing = os.open(folder / "write.lock", flags, 0o600)
        except OSError:
            os.close(self._turn)
            raise

    def __enter__(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._writing, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._writing, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the files back."""
        os.close(self._turn)
        os.close(self._writing)
