"""Moves commits from the write-ahead log into the file, on a thread and connection of its own, so that no commit waits.

A checkpoint that reaches the end of the log lets the next writer begin it anew; under constant load from several
processes that may never happen by itself, so past a bound the writers are held for the short rest.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from homeostat.kit.log import logger
from homeostat.kit.threads import start_thread
from homeostat.store import sqlite_file
from homeostat.store.sqlite_lock import WriteLock

# Written by this process since its last checkpoint before it makes the next one.
_BYTES_BETWEEN = 4 << 20
# The size of the log at which writers are held.
_LOG_BYTES_MAX = 64 << 20
# How long held writers may wait for readers to let the log go.
_READERS_MILLISECONDS_MAX = 100
# What a group costs in the log beyond its values: the tables' and the index's pages.
_GROUP_BYTES = 5 * 4096

_logger = logger("store")


class Checkpointer:
    """One thread; `wrote` is called by the writer, everything else by the loop."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder
        self._wake = threading.Event()
        self._stopping = False
        self._bytes = 0

    def start(self, ended: Callable[[], None]) -> None:
        """Start the thread; `ended` comes last."""
        start_thread(lambda: self._run(ended), name="store-checkpt")

    def wrote(self, value_bytes: int) -> None:
        """Count what a group has added to the log."""
        self._bytes += value_bytes + _GROUP_BYTES
        if self._bytes >= _BYTES_BETWEEN:
            self._wake.set()

    def hurry(self) -> None:
        """Checkpoint now: it may give a full disk some room back."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the checkpoint under way."""
        self._stopping = True
        self._wake.set()

    def _run(self, ended: Callable[[], None]) -> None:
        lock = WriteLock(self._folder)
        try:
            while self._wake.wait() and not self._stopping:
                self._wake.clear()
                self._bytes = 0
                self._checkpoint(lock)
        finally:
            lock.close()
            ended()

    def _checkpoint(self, lock: WriteLock) -> None:
        try:
            with contextlib.closing(sqlite_file.connect(self._path, synchronous="FULL")) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if self._log_bytes() < _LOG_BYTES_MAX:
                    return
                connection.execute(f"PRAGMA busy_timeout = {_READERS_MILLISECONDS_MAX}")
                with lock:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            # The log grows on; the next attempt comes after as many bytes again.
            _logger.warning("checkpoint: %s", sqlite_file.explained(self._path, error))

    def _log_bytes(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size
        except OSError:
            return 0
