"""The SQLite file: its schema, how it is opened, and what its errors mean. Blocking; no loop, no thread of its own.

Tables:
  log      one row a commit, by revision; `previous` is the revision of the commit it replaced (0: the key was not
           there). That makes both history and compaction cheap: what was live at R is what is live now from commits
           up to R, plus what later commits replaced; and a commit can go once the one that names it is compacted.
  current  the live keys, each with the revision of its row in `log`.
  mark     `compacted`: history up to here is no longer available; `swept`: and its rows are gone.
The row of the newest revision always stays, so the counter of revisions is the log itself.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from homeostat.store.contract import Unavailable

# "HmSt": distinguishes our files from other SQLite files (PRAGMA application_id).
APPLICATION_ID = 0x486D5374
SCHEMA_VERSION = 1

_SCHEMA = (
    "CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, previous INTEGER NOT NULL,"
    " deleted INTEGER NOT NULL, value BLOB NOT NULL)",
    # Covers what reads of history need but the values, which would drag every page in.
    "CREATE INDEX log_slim ON log (revision, key, previous, deleted)",
    "CREATE TABLE current (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE mark (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO mark VALUES ('compacted', 0), ('swept', 0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

# Writers of this program queue on a lock of their own (sqlite_lock); this is for other programs' locks, recovery after
# a crash, and the moment when another process closes the file.
BUSY_SECONDS_MAX = 5.0
_CACHE_KIB = 4_000
# After a reset the WAL file shrinks to this.
_WAL_FILE_BYTES_KEPT = 16 << 20


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """A connection in autocommit mode for the calling thread. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS_MAX, isolation_level=None, cached_statements=64)
    try:
        # Checkpoints are the checkpointer's, off the path of commits.
        for setting in (
            "wal_autocheckpoint = 0",
            f"synchronous = {synchronous}",
            f"cache_size = -{_CACHE_KIB}",
            f"journal_size_limit = {_WAL_FILE_BYTES_KEPT}",
        ):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """Open `path`, made where it is not there; the caller holds the write lock. Raises Unavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite gives its side files the mode of the main one; Secrets are in here.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unavailable(f"cannot open the store {path}: {error.strerror}") from error
    try:
        connection = connect(path, synchronous=synchronous)
    except sqlite3.Error as error:
        raise explained(path, error) from error
    try:
        _check(path, connection)
    except sqlite3.Error as error:
        connection.close()
        raise explained(path, error) from error
    except Unavailable:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if empty and application == 0:
        _enter_wal(path, connection)
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
        return
    if application != APPLICATION_ID:
        raise Unavailable(f"{path} is a database of another program; move it away or choose another path")
    if version > SCHEMA_VERSION:
        raise Unavailable(
            f"{path} has schema {version} and this program knows up to {SCHEMA_VERSION}:"
            " use the newer program that wrote it, or move the file away"
        )
    _enter_wal(path, connection)
    # Reads a page of each table: a file cut short or overwritten is reported now rather than at the first request.
    for table in ("log", "current", "mark"):
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()


def _enter_wal(path: Path, connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise Unavailable(f"{path}: its file system cannot share memory between processes (WAL); choose a local one")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file the path names now (device and inode); None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def explained(path: Path, error: sqlite3.Error) -> Unavailable:
    """What an error of SQLite means for the store's user, and what to do about it."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    if name == "SQLITE_FULL":
        what = "the disk is full; make room and the writes work again"
    elif name.startswith("SQLITE_IOERR"):
        what = f"the disk failed or is full ({name}); make room or look at the disk, then writes work again"
    elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        what = "the file is damaged or no database; restore it from a backup, or move it away to start over"
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        what = f"another program has kept it locked for {BUSY_SECONDS_MAX:.0f} s; close that program"
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        what = f"this user cannot open or write it ({name}); check its owner and mode and those of its folder"
    else:
        what = f"{name}: {error}"
    return Unavailable(f"store {path}: {what}")


def damaged(error: sqlite3.Error) -> bool:
    """Whether the connection that raised `error` should be replaced rather than used again."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN"))
