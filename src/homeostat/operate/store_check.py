"""Before a cluster starts: whether its SQLite file can be used, and a copy of it to go back to.

A damaged file is reported at once, with the way back, rather than by API servers that keep ending. The copies are
backups as `homeostat backup` makes them, so `homeostat restore` takes them. All of it has a bound of time: a start
waits little longer for a large file than for a small one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from homeostat import KUBERNETES_VERSION
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.lab.kinds.choice import kind_of
from homeostat.operate.archives import kept_files
from homeostat.store import archive
from homeostat.store.archive import ArchiveError, Header
from homeostat.store.contract import Entry, Unavailable
from homeostat.store.sqlite_file import explained, prepare

COPIES_MAX = 3
# For looking through the pages of the file, and for one copy.
_CHECK_SECONDS_MAX = 1.0
_COPY_SECONDS_MAX = 2.0
# Steps of SQLite between two looks at the clock.
_STEPS = 20_000
_HEAD = b"SQLite format 3\0"
_ENTRIES = (
    "SELECT current.key, log.revision, log.value FROM current JOIN log ON log.revision = current.revision"
    " ORDER BY current.key"
)

_log = logger("storecheck")


def before_start(
    folder: Folder,
    cluster: Cluster,
    *,
    check_seconds: float = _CHECK_SECONDS_MAX,
    copy_seconds: float = _COPY_SECONDS_MAX,
) -> None:
    """Check the file of a cluster that does not run, and copy it; each ends unfinished when its time is over.

    Raises LabError when the file cannot be used.
    """
    file = kind_of(cluster).sqlite_file(folder, cluster)
    if cluster.store != "sqlite" or not file.exists():
        return
    try:
        with closing(_opened(file)) as connection:
            _look_through(file, connection, check_seconds)
            try:
                _copy(folder, cluster, connection, copy_seconds)
            except sqlite3.Error as error:
                raise explained(file, error) from error
    except Unavailable as error:
        raise LabError(f"{error}{_way_back(folder)}") from error


def copies(folder: Folder) -> list[Path]:
    """The copies that there are, the newest first."""
    return sorted(_place(folder).glob("*.backup"), reverse=True)


def _place(folder: Folder) -> Path:
    return folder.path / "copies"


def _opened(file: Path) -> sqlite3.Connection:
    """Raises Unavailable."""
    try:
        with file.open("r+b") as opened:
            head = opened.read(len(_HEAD))
    except OSError as error:
        raise Unavailable(
            f"this user cannot open the store {file}: {error.strerror}; check its owner and mode, and its folder's"
        ) from error
    if head and head != _HEAD:
        raise Unavailable(f"store {file}: its first bytes are damaged, or it is no database")
    connection = prepare(file, synchronous="FULL")
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def _look_through(file: Path, connection: sqlite3.Connection, seconds: float) -> None:
    """SQLite's quick check, as far as it gets in its time. Raises Unavailable on a fault."""
    until = clock.monotonic() + seconds
    connection.set_progress_handler(lambda: clock.monotonic() >= until, _STEPS)
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            raise explained(file, error) from error
        return
    except sqlite3.Error as error:
        raise explained(file, error) from error
    finally:
        connection.set_progress_handler(None, 0)
    if found != "ok":
        raise Unavailable(f"store {file}: the file is damaged ({' '.join(found.split())})")


def _copy(folder: Folder, cluster: Cluster, connection: sqlite3.Connection, seconds: float) -> None:
    """Keep a backup of the live entries, where the last copy is of another revision. Where the disk is full or the file
    takes too long, there is no copy, and the start continues."""
    revision = int(connection.execute("SELECT coalesce(max(revision), 0) FROM log").fetchone()[0])
    target = _place(folder) / f"revision-{revision:020}.backup"
    if not revision or target.exists():
        return
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        writer = archive.Writer(target)
        try:
            for name, content in kept_files(folder.pki).items():
                writer.add_file(name, content)
            for entry in _within(seconds, connection):
                writer.add(entry)
            header = Header(
                cluster.name, KUBERNETES_VERSION, "sqlite", revision, clock.now_rfc3339(), cluster.to_dict()
            )
            writer.finish(header)
        finally:
            writer.discard()
    except (OSError, ArchiveError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or error
        _log.warning("no copy of the store was made before the start: %s", why)
    for old in copies(folder)[COPIES_MAX:]:
        old.unlink(missing_ok=True)


def _within(seconds: float, connection: sqlite3.Connection) -> Iterator[Entry]:
    """The live entries, as long as the time lasts. Raises TimeoutError."""
    until = clock.monotonic() + seconds
    for key, revision, value in connection.execute(_ENTRIES):
        if clock.monotonic() >= until:
            raise TimeoutError(f"it takes longer than {seconds:g} s; `homeostat backup` takes its time")
        yield Entry(key, bytes(value), revision)


def _way_back(folder: Folder) -> str:
    for copy in copies(folder):
        with suppress(ArchiveError):
            header = archive.Reader(copy).header
            return (
                f"\n`homeostat restore{folder.naming} --force {copy}` goes back to the copy from before an earlier"
                f" start ({header.entries} objects, {header.taken_at}); then `homeostat up{folder.naming}`"
            )
    return f"\n`homeostat restore{folder.naming} --force FILE` goes back to a backup, where there is one"
