"""What one group commit does to the tables: the decision, and the statements that carry it out.

Every statement carries many rows, because each call into SQLite gives up the interpreter lock and must get it back
from a loop that may be busy: a group costs a handful of calls, not some per write.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from homeostat.store.contract import Batch, Entry, Event

T = TypeVar("T")
Bound: TypeAlias = str | bytes | int


@dataclass(slots=True, eq=False)
class Write:
    """One commit that waits. `done` belongs to the loop; only the loop's thread touches it."""

    key: str
    expected: int
    value: bytes
    delete: bool
    done: asyncio.Future[int]


@dataclass(slots=True)
class Group:
    """The result of a group of writes. `current` maps each key it changes to its new revision, 0 when it is deleted."""

    events: Batch = field(default_factory=list)
    previous: list[int] = field(default_factory=list)
    current: dict[str, int] = field(default_factory=dict)
    accepted: list[Write] = field(default_factory=list)
    refused: list[Write] = field(default_factory=list)


def decide(writes: Sequence[Write], known: dict[str, int], head: int) -> Group:
    """Give revisions from `head + 1` on to the writes that are not stale, each seeing those before it.

    `known` holds the revision of every key involved, 0 where it is not there.
    """
    group = Group()
    for write in writes:
        at = group.current.get(write.key)
        if at is None:
            at = known[write.key]
        if at != write.expected or (write.delete and not at):
            group.refused.append(write)
            continue
        head += 1
        group.events.append(Event(write.key, write.value, head, write.delete))
        group.previous.append(at)
        group.current[write.key] = 0 if write.delete else head
        group.accepted.append(write)
    return group


# Rows a statement takes: a group of 23 runs as 16 + 4 + 3, so few statements are prepared, once. Most groups are small.
_SIZES = (64, 16, 8, 4, 3, 2, 1)
_HEAD = "SELECT max(revision) FROM log"
# The newest revision is returned as well: one call less.
_LOOKUP = {n: f"SELECT ({_HEAD})" + ", (SELECT revision FROM current WHERE key = ?)" * n for n in _SIZES}
_APPEND = {n: "INSERT INTO log VALUES " + ", ".join(["(?, ?, ?, ?, ?)"] * n) for n in _SIZES}
_SET = {
    n: "INSERT INTO current VALUES "
    + ", ".join(["(?, ?)"] * n)
    + " ON CONFLICT (key) DO UPDATE SET revision = excluded.revision"
    for n in _SIZES
}
_UNSET = {n: f"DELETE FROM current WHERE key IN ({', '.join('?' * n)})" for n in _SIZES}
_FORGET = {n: f"DELETE FROM log WHERE revision IN ({', '.join('?' * n)})" for n in _SIZES}


def _pieces(rows: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield size, rows[start : start + size]
            start += size


def look_up(cursor: sqlite3.Cursor, keys: Sequence[str]) -> tuple[dict[str, int], int]:
    """The live revision of each key, 0 where there is none; and the newest revision, 0 in an empty store."""
    known: dict[str, int] = {}
    newest = 0
    for size, piece in _pieces(keys):
        newest, *revisions = [revision or 0 for revision in cursor.execute(_LOOKUP[size], piece).fetchone()]
        known.update(zip(piece, revisions, strict=True))
    return known, newest


def perform(cursor: sqlite3.Cursor, group: Group) -> None:
    """Write the group's rows, inside the caller's transaction."""
    for size, piece in _pieces(list(zip(group.events, group.previous, strict=True))):
        row: list[Bound] = []
        for event, previous in piece:
            row += (event.revision, event.key, previous, event.deleted, event.value)
        cursor.execute(_APPEND[size], row)
    kept = [pair for pair in group.current.items() if pair[1]]
    for size, pairs in _pieces(kept):
        cursor.execute(_SET[size], [part for pair in pairs for part in pair])
    for size, keys in _pieces([key for key, revision in group.current.items() if not revision]):
        cursor.execute(_UNSET[size], keys)


def forget(cursor: sqlite3.Cursor, revisions: Sequence[int]) -> None:
    """Delete these rows of the log."""
    for size, piece in _pieces(revisions):
        cursor.execute(_FORGET[size], piece)


def head(cursor: sqlite3.Cursor) -> int:
    """The newest revision; 0 in an empty store."""
    return cursor.execute(_HEAD).fetchone()[0] or 0


def live(cursor: sqlite3.Cursor, key: str) -> Entry | None:
    """The live entry of a key."""
    row = cursor.execute(_LIVE, (key,)).fetchone()
    return Entry(key, row[0], row[1]) if row else None


_LIVE = "SELECT log.value, log.revision FROM current JOIN log ON log.revision = current.revision WHERE current.key = ?"
