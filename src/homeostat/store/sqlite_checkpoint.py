"""Moves commits from the write-ahead log into the file, on a thread and connection of its own, so that no commit waits.

A checkpoint that reaches the end of the log lets the next writer start it over; under constant load from several
processes that may never happen by itself, so beyond a limit the writers are held for the short rest.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.kit.threads import start_thread
from homeostat.store import sqlite_file
from homeostat.store.sqlite_lock import WriteLock

# Written by this process since its last checkpoint before it makes the next one.
_BYTES_BETWEEN = 2 << 20
# How much of the log may be in use before the writers are held, and for how long readers may delay that.
_LOG_BYTES_MAX = 32 << 20
_READERS_MILLISECONDS_MAX = 100
_HURRY_SECONDS = 5.0
# The log's file is stretched to this at once: a commit that makes the file grow pays for the file system's journal as
# well, which is a quarter of its time. SQLite ignores what follows the last valid frame.
_LOG_FILE_BYTES = 4 << 20
# What a group costs in the log beyond its values: the tables' and the index's pages.
_GROUP_BYTES = 5 * 4096

_logger = logger("store")


class Checkpointer:
    """One thread; `wrote` and `hurry` are called by the writer, everything else by the loop."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder
        self._wake = threading.Event()
        self._stopping = False
        self._bytes = 0
        self._hurry_again_at = 0.0

    def start(self, ended: Callable[[], None]) -> None:
        """Start the thread; `ended` comes last."""
        start_thread(lambda: self._run(ended), name="store-checkpt")

    def wrote(self, value_bytes: int) -> None:
        """Count what a group has added to the log."""
        self._bytes += value_bytes + _GROUP_BYTES
        if self._bytes >= _BYTES_BETWEEN:
            self._wake.set()

    def hurry(self) -> None:
        """Checkpoint soon, though little was written: it may give a full disk some room back."""
        if clock.monotonic() >= self._hurry_again_at:
            self._hurry_again_at = clock.monotonic() + _HURRY_SECONDS
            self._wake.set()

    def stop(self) -> None:
        """End the thread after the checkpoint under way."""
        self._stopping = True
        self._wake.set()

    def _run(self, ended: Callable[[], None]) -> None:
        lock = WriteLock(self._folder)
        try:
            self._stretch()
            while self._wake.wait() and not self._stopping:
                self._wake.clear()
                self._bytes = 0
                self._checkpoint(lock)
        finally:
            lock.close()
            ended()

    def _stretch(self) -> None:
        """Append zeros to the log's file; in append mode they never land on what another writes."""
        try:
            log = os.open(f"{self._path}-wal", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return
        try:
            missing = _LOG_FILE_BYTES - os.fstat(log).st_size
            if missing > 0:
                os.write(log, bytes(missing))
                os.fsync(log)
        except OSError as error:
            _logger.debug("%s-wal: not stretched: %s", self._path, error.strerror)
        finally:
            os.close(log)

    def _checkpoint(self, lock: WriteLock) -> None:
        try:
            with contextlib.closing(sqlite_file.connect(self._path, synchronous="FULL")) as connection:
                page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
                _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if frames * page_bytes < _LOG_BYTES_MAX:
                    return
                connection.execute(f"PRAGMA busy_timeout = {_READERS_MILLISECONDS_MAX}")
                with lock:
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        except sqlite3.Error as error:
            # The log keeps growing; the next attempt is after as many bytes again.
            _logger.warning("checkpoint: %s", sqlite_file.explained(self._path, error))
