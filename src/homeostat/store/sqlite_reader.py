"""Reads of the SQLite file, current and historical. Blocking but short: every call is bounded in rows, so that the loop
can make them on its own thread. In WAL mode a reader never waits for a writer or its disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.store import sqlite_file, sqlite_group
from homeostat.store.contract import Batch, Compacted, Entry, Event, FutureRevision, Page

# Rows of one call.
LIST_ROWS_MAX = 256
HISTORY_ROWS_MAX = 512

_LOG = "SELECT key, value, revision, deleted FROM log WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?"
_LOG_UNDER = (
    "SELECT log.key, log.value, log.revision, log.deleted FROM"
    " (SELECT revision AS at FROM log INDEXED BY log_slim"
    "  WHERE revision > ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision LIMIT ?)"
    " CROSS JOIN log ON log.revision = at ORDER BY log.revision"
)
_NOW = (
    "SELECT current.key, log.value, log.revision FROM current CROSS JOIN log ON log.revision = current.revision"
    " WHERE current.key >= ? AND current.key < ? ORDER BY current.key LIMIT ?"
)
_COUNT_NOW = "SELECT count(*) FROM current WHERE key >= ? AND key < ?"
# Live at R: the live keys last committed up to R, and what the later commits replaced that was committed up to R.
_AT = (
    "SELECT key, revision FROM current WHERE key >= :low AND key < :high AND revision <= :at"
    " UNION ALL"
    " SELECT key, previous FROM log INDEXED BY log_slim"
    " WHERE revision > :at AND previous BETWEEN 1 AND :at AND key >= :low AND key < :high"
)
_THEN = (
    f"SELECT found.key, log.value, log.revision FROM ({_AT} ORDER BY 1 LIMIT :limit) AS found"
    " CROSS JOIN log ON log.revision = found.revision ORDER BY found.key"
)
_COUNT_THEN = f"SELECT count(*) FROM ({_AT})"
_MARKS = "SELECT (SELECT max(revision) FROM log), (SELECT revision FROM mark WHERE name = 'compacted')"


def prefix_end(prefix: str) -> str | bytes:
    """The least text above every key that starts with `prefix`, in code point order.

    A prefix that has none (empty, or nothing but the last code point) gives an empty blob: SQLite orders every text
    below every blob.
    """
    for length in range(len(prefix), 0, -1):
        point = ord(prefix[length - 1])
        if point < 0x10FFFF:
            # Surrogates are no text: the next code point after U+D7FF is U+E000.
            return prefix[: length - 1] + chr(0xE000 if point == 0xD7FF else point + 1)
    return b""


class Reader:
    """A reading connection, for the thread that made it. Raises Unavailable where SQLite fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._connection = sqlite_file.connect(path, synchronous="OFF")
            self._cursor = self._connection.cursor()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def revision(self) -> int:
        """The newest committed revision of the file."""
        # Called for every plain GET: a context manager would cost as much as the rest of the call.
        try:
            return sqlite_group.head(self._cursor)
        except sqlite3.Error as error:
            raise sqlite_file.explained(self._path, error) from error

    def get(self, key: str) -> Entry | None:
        """The live entry."""
        with self._explained():
            return sqlite_group.live(self._cursor, key)

    def log(self, after: int) -> tuple[Batch, int]:
        """The next commits after `after`, and the compacted revision they were read at."""
        with self._snapshot() as (_, compacted):
            return self._events(_LOG, (after, 1 << 62, HISTORY_ROWS_MAX)), compacted

    def history(self, prefix: str, after: int, upto: int) -> tuple[Batch, int]:
        """See `feed.History`."""
        with self._snapshot() as (_, compacted):
            if after < compacted:
                raise Compacted(after, compacted)
            if prefix:
                bounds = (after, upto, prefix, prefix_end(prefix), HISTORY_ROWS_MAX)
                batch = self._events(_LOG_UNDER, bounds)
            else:
                batch = self._events(_LOG, (after, upto, HISTORY_ROWS_MAX))
        return batch, upto if len(batch) < HISTORY_ROWS_MAX else batch[-1].revision

    def page(self, prefix: str, revision: int, limit: int, after: str) -> Page:
        """At most `limit` entries (and LIST_ROWS_MAX; never 0) above `after`, as of `revision` (0: now).

        `remaining` is -1 where the call's own bound cut the page: the caller continues after its last key.
        """
        rows_max = min(limit or LIST_ROWS_MAX, LIST_ROWS_MAX)
        high = prefix_end(prefix)
        with self._snapshot() as (head, compacted):
            at = revision or head
            if at > head:
                raise FutureRevision(f"revision {at} is ahead of {head}")
            if at < compacted:
                raise Compacted(at, compacted)
            # No key is between `after` and `after` with a zero character.
            low = max(prefix, after + "\0") if after else prefix
            if at == head:
                rows = self._cursor.execute(_NOW, (low, high, rows_max)).fetchall()
            else:
                named = {"low": low, "high": high, "at": at, "limit": rows_max}
                rows = self._cursor.execute(_THEN, named).fetchall()
            entries = [Entry(key, value, found) for key, value, found in rows]
            if len(rows) < rows_max:
                remaining = 0
            elif rows_max == limit:
                remaining = self._count(entries[-1].key + "\0", high, at, head)
            else:
                remaining = -1
        return Page(entries, at, remaining)

    def _count(self, low: str, high: str | bytes, at: int, head: int) -> int:
        if at == head:
            found = self._cursor.execute(_COUNT_NOW, (low, high)).fetchone()
        else:
            found = self._cursor.execute(_COUNT_THEN, {"low": low, "high": high, "at": at}).fetchone()
        return int(found[0])

    def _events(self, statement: str, bounds: tuple[str | bytes | int, ...]) -> Batch:
        rows = self._cursor.execute(statement, bounds).fetchall()
        return [Event(key, value, revision, bool(deleted)) for key, value, revision, deleted in rows]

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[int, int]]:
        """One read transaction: the newest and the compacted revision that go with everything read in it."""
        with self._explained():
            self._cursor.execute("BEGIN")
            try:
                head, compacted = self._cursor.execute(_MARKS).fetchone()
                yield head or 0, compacted
            finally:
                self._cursor.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise sqlite_file.explained(self._path, error) from error
