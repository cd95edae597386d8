"""The writer thread: everything that waits goes into one transaction, is made durable, and is reported to the loop.

The loop hands over lists of writes (`put`) and gets a `Report` per group; nothing else is shared. Compaction runs here
too, in small batches between groups.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.kit.threads import start_thread
from homeostat.store import sqlite_file, sqlite_group
from homeostat.store.contract import Entry, FutureRevision, StoreError, Unavailable
from homeostat.store.sqlite_group import Group, Write
from homeostat.store.sqlite_lock import WriteLock

# Bounds of one transaction, so that no write waits behind more than this.
_GROUP_WRITES_MAX = 1_024
_GROUP_BYTES_MAX = 8 << 20
# Rows of the log looked at in one step of compaction: a few milliseconds at most.
_SWEEP_ROWS = 128

_log = logger("store")


@dataclass(slots=True)
class Report:
    """The result of a group: its writes, the current entries of the refused ones; or why it failed as a whole."""

    writes: list[Write]
    group: Group = field(default_factory=Group)
    refused: dict[Write, Entry | None] = field(default_factory=dict)
    error: Unavailable | None = None


@dataclass(slots=True, eq=False)
class Compaction:
    """A request to compact history up to `revision`. `done` is called once, on the writer's thread."""

    revision: int
    done: Callable[[StoreError | None], None]


class Writer:
    """Owns the writing connection. `report` and `opened` are called on its thread."""

    def __init__(self, path: Path, lock: WriteLock, *, synchronous: str, report: Callable[[Report], None]) -> None:
        self._path = path
        self._lock = lock
        self._synchronous = synchronous
        self._report = report
        self._inbox: queue.SimpleQueue[list[Write] | Compaction | None] = queue.SimpleQueue()
        self._backlog: deque[Write] = deque()
        self._sweeps: deque[Compaction] = deque()
        self._stopping = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        # While the thread waits for its turn to write: since when, else 0. Until it ends the loop may take the writes
        # away (`expire`), so under the mutex they belong to either side.
        self._mutex = threading.Lock()
        self._blocked_since = 0.0
        self._group: list[Write] = []

    def start(self, opened: Callable[[Unavailable | None], None], ended: Callable[[], None]) -> None:
        """Start the thread; `opened` says whether the file could be used, `ended` comes last."""
        start_thread(lambda: self._run(opened, ended), name="store-writer")

    def put(self, writes: list[Write]) -> None:
        """Queue writes, from the loop."""
        self._inbox.put(writes)

    def compact(self, compaction: Compaction) -> None:
        """Queue a compaction, from the loop."""
        self._inbox.put(compaction)

    def stop(self) -> None:
        """Finish what is queued, then end the thread."""
        self._inbox.put(None)

    def expire(self, *, seconds_max: float) -> list[Write]:
        """Take back all writes if the thread has waited longer than this for another process; none gets written."""
        with self._mutex:
            if not self._blocked_since or clock.monotonic() - self._blocked_since < seconds_max:
                return []
            taken = [*self._group, *self._backlog]
            self._group, others = [], []
            self._backlog.clear()
            with contextlib.suppress(queue.Empty):
                while True:
                    item = self._inbox.get_nowait()
                    if isinstance(item, list):
                        taken += item
                    else:
                        others.append(item)
            for other in others:
                self._inbox.put(other)
            return taken

    def _run(self, opened: Callable[[Unavailable | None], None], ended: Callable[[], None]) -> None:
        try:
            with self._lock:
                self._connection = sqlite_file.prepare(self._path, synchronous=self._synchronous)
            self._identity = sqlite_file.identity(self._path)
        except Unavailable as error:
            self._lock.close()
            opened(error)
            ended()
            return
        opened(None)
        try:
            while self._collect():
                if self._backlog:
                    self._write(self._next_group())
                if self._sweeps:
                    self._sweep(self._sweeps[0])
        finally:
            self._drop_connection()
            self._lock.close()
            ended()

    def _collect(self) -> bool:
        """Take in what is queued, waiting while there is nothing to do. False once all is done and stop was asked."""
        idle = not (self._backlog or self._sweeps or self._stopping)
        while True:
            try:
                item = self._inbox.get(block=idle)
            except queue.Empty:
                return bool(self._backlog or self._sweeps or not self._stopping)
            idle = False
            if item is None:
                self._stopping = True
            elif isinstance(item, Compaction):
                self._sweeps.append(item)
            else:
                self._backlog.extend(item)

    def _next_group(self) -> list[Write]:
        group: list[Write] = []
        size = 0
        while self._backlog and len(group) < _GROUP_WRITES_MAX and size < _GROUP_BYTES_MAX:
            write = self._backlog.popleft()
            size += len(write.value)
            group.append(write)
        return group

    def _write(self, writes: list[Write]) -> None:
        with self._mutex:
            self._group, self._blocked_since = writes, clock.monotonic()
        with self._lock:
            with self._mutex:
                writes, self._group, self._blocked_since = self._group, [], 0.0
            report = self._commit(writes) if writes else None
        if report:
            self._report(report)

    def _commit(self, writes: list[Write]) -> Report:
        report = Report(writes)
        try:
            cursor = self._usable().cursor()
            cursor.execute("BEGIN IMMEDIATE")
            keys = list(dict.fromkeys([write.key for write in writes]))
            known, newest = sqlite_group.look_up(cursor, keys)
            group = sqlite_group.decide(writes, known, newest)
            sqlite_group.perform(cursor, group)
            cursor.execute("COMMIT")
            report.group = group
            report.refused = self._refusals(cursor, group)
        except sqlite3.Error as error:
            self._abandon(error)
            report.error = sqlite_file.explained(self._path, error)
            report.error.__cause__ = error
        except Unavailable as error:
            report.error = error
        return report

    def _refusals(self, cursor: sqlite3.Cursor, group: Group) -> dict[Write, Entry | None]:
        """What the refused writes should have known. The group is durable already: a failure here must not undo it."""
        try:
            return {write: sqlite_group.live(cursor, write.key) for write in group.refused}
        except sqlite3.Error as error:
            _log.warning("%s", sqlite_file.explained(self._path, error))
            return dict.fromkeys(group.refused)

    def _usable(self) -> sqlite3.Connection:
        """The connection, reopened after a failure. Raises Unavailable."""
        if sqlite_file.identity(self._path) != self._identity:
            raise Unavailable(f"store {self._path}: the file was removed or replaced while in use; restart to open it")
        if self._connection is None:
            self._connection = sqlite_file.connect(self._path, synchronous=self._synchronous)
        return self._connection

    def _abandon(self, error: sqlite3.Error) -> None:
        """Undo the transaction. After an I/O error nothing of the connection's state is trusted any more."""
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop_connection()
        if sqlite_file.damaged(error):
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                _log.warning("%s", sqlite_file.explained(self._path, error))

    def _sweep(self, compaction: Compaction) -> None:
        """One small step of a compaction; it leaves the queue when done or failed."""
        failure: StoreError | None = None
        try:
            with self._lock:
                if not self._sweep_step(self._usable().cursor(), compaction.revision):
                    return
        except sqlite3.Error as error:
            self._abandon(error)
            failure = sqlite_file.explained(self._path, error)
        except StoreError as error:
            failure = error
        self._sweeps.popleft()
        compaction.done(failure)

    def _sweep_step(self, cursor: sqlite3.Cursor, revision: int) -> bool:
        """True when every row that is compacted by `revision` is deleted. Raises FutureRevision."""
        cursor.execute("BEGIN IMMEDIATE")
        newest = sqlite_group.head(cursor)
        if revision > newest:
            cursor.execute("ROLLBACK")
            raise FutureRevision(f"revision {revision} is ahead of {newest}")
        cursor.execute("UPDATE mark SET revision = ? WHERE name = 'compacted' AND revision < ?", (revision, revision))
        swept = cursor.execute("SELECT revision FROM mark WHERE name = 'swept'").fetchone()[0]
        # The newest row must stay: it is the counter.
        rows = cursor.execute(_SWEEP, (swept, min(revision, newest - 1), _SWEEP_ROWS)).fetchall()
        if rows:
            needless = [previous for _, previous, _ in rows if previous]
            needless += [at for at, _, deleted in rows if deleted]
            sqlite_group.forget(cursor, needless)
            cursor.execute("UPDATE mark SET revision = ? WHERE name = 'swept'", (rows[-1][0],))
        cursor.execute("COMMIT")
        return len(rows) < _SWEEP_ROWS


_SWEEP = (
    "SELECT revision, previous, deleted FROM log INDEXED BY log_slim"
    " WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?"
)
