"""A new SQLite file that begins with given entries, at a given revision: what a restore makes. Blocking."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from homeostat.store import sqlite_file
from homeostat.store.contract import Entry


def seed(path: Path, base: int, entries: Iterable[Entry]) -> int:
    """Make the file `path`, which must not be there, with `entries` at the revisions from `base + 1` on; returns the
    newest. All before counts as compacted, so that a watch from an older store has to start over.

    It is there whole or not at all. Raises Unavailable.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    _remove(scratch)
    try:
        connection = sqlite_file.prepare(scratch, synchronous="FULL")
        try:
            newest = _fill(connection, base, entries)
            # Everything into the file itself: it moves alone.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        scratch.replace(path)
    except sqlite3.Error as error:
        raise sqlite_file.explained(path, error) from error
    finally:
        _remove(scratch)
    return newest


def _fill(connection: sqlite3.Connection, base: int, entries: Iterable[Entry]) -> int:
    connection.execute("BEGIN IMMEDIATE")
    # The counter of revisions is the log itself: the row of `base` keeps it where there is no entry.
    connection.execute("INSERT INTO log VALUES (?, '', 0, 1, x'')", (base,))
    revision = base
    for entry in entries:
        revision += 1
        connection.execute("INSERT INTO log VALUES (?, ?, 0, 0, ?)", (revision, entry.key, entry.value))
        connection.execute("INSERT INTO current VALUES (?, ?)", (entry.key, revision))
    connection.execute("UPDATE mark SET revision = ?", (base,))
    connection.execute("COMMIT")
    return revision


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
