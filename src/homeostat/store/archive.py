"""The backup file: all live entries of a store at one revision, whatever the store, and the files that go with them.

Layout: a first block of `_HEAD_BYTES` (the magic line, then the header as JSON, padded with spaces), then the records,
compressed. The header has the records' length and SHA-256, so a file that was cut short or damaged is known before
anything is made of it. Blocking: for commands, not for servers.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from homeostat.store.contract import Entry, Store

FORMAT = 1
_MAGIC = b"HOMEOSTAT BACKUP\n"
_HEAD_BYTES = 4096
# Kind, bytes of the name, revision, bytes of the value.
_RECORD = struct.Struct(">cIQQ")
_FILE, _ENTRY = b"F", b"E"
# No name or value is longer: what says so is damaged.
_PART_BYTES_MAX = 1 << 30
_CHUNK_BYTES = 1 << 20
_PAGE_ENTRIES = 500
# Far more than any store commits between two backups.
_REVISIONS_SKIPPED = 1_000_000_000


class ArchiveError(Exception):
    """The file cannot be written, or is no backup that can be restored: the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a backup. `revision` is the store's at the moment of the backup."""

    cluster: str
    kubernetes: str
    store: str
    revision: int
    taken_at: str
    plan: dict[str, Any]
    entries: int = 0
    body_bytes: int = 0
    body_sha256: str = ""
    format: int = FORMAT

    @property
    def base(self) -> int:
        """The revision above which a store that is restored from this continues."""
        return self.revision + _REVISIONS_SKIPPED


class Writer:
    """Writes one archive to a temporary file and renames it when it is complete. Mode 0600: it holds keys and
    Secrets."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            descriptor = os.open(self._scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise ArchiveError(f"cannot write {path}: {error.strerror}") from error
        self._file = os.fdopen(descriptor, "wb")
        self._packer = zlib.compressobj(6)
        self._sum = hashlib.sha256()
        self._bytes = 0
        self._entries = 0
        self._file.write(b" " * _HEAD_BYTES)

    def add_file(self, name: str, content: bytes) -> None:
        """Add a file to the entries."""
        self._record(_FILE, name.encode(), 0, content)

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        self._entries += 1
        self._record(_ENTRY, entry.key.encode(), entry.revision, entry.value)

    def _record(self, kind: bytes, name: bytes, revision: int, value: bytes) -> None:
        head = _RECORD.pack(kind, len(name), revision, len(value))
        self._put(self._packer.compress(head + name + value))

    def _put(self, packed: bytes) -> None:
        self._sum.update(packed)
        self._bytes += len(packed)
        self._file.write(packed)

    def finish(self, header: Header) -> Header:
        """Write the header and give the file its name; returns the header in full."""
        self._put(self._packer.flush())
        counted = {"entries": self._entries, "body_bytes": self._bytes, "body_sha256": self._sum.hexdigest()}
        full = Header(**{**asdict(header), **counted})
        head = _MAGIC + orjson.dumps(asdict(full))
        if len(head) >= _HEAD_BYTES:
            raise ArchiveError(f"the plan of cluster {header.cluster!r} does not fit into a backup's header")
        self._file.seek(0)
        self._file.write(head.ljust(_HEAD_BYTES - 1) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._scratch.replace(self._path)
        return full

    def discard(self) -> None:
        """Leave nothing behind, unless it was finished."""
        self._file.close()
        self._scratch.unlink(missing_ok=True)


async def entries_of(store: Store) -> tuple[int, AsyncIterator[Entry]]:
    """The newest revision, and all entries as they are at it. Raises Compacted when that takes longer than history."""
    revision = (await store.list("", limit=1)).revision

    async def read() -> AsyncIterator[Entry]:
        after = ""
        while True:
            # Revision 0 is "now": an empty store's.
            page = await store.list("", revision=revision, limit=_PAGE_ENTRIES, after=after)
            for entry in page.entries:
                yield entry
            if not page.remaining:
                return
            after = page.entries[-1].key

    return revision, read()


class Reader:
    """An archive that was checked to be complete. Raises ArchiveError with what is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self.header = _header(path, file.read(_HEAD_BYTES))
                _check(path, self.header, iter(lambda: file.read(_CHUNK_BYTES), b""))
        except OSError as error:
            raise ArchiveError(f"cannot read {path}: {error.strerror}") from error

    def files(self) -> dict[str, bytes]:
        """The files that go with the entries."""
        found: dict[str, bytes] = {}
        for kind, name, _, value in self._records():
            if kind != _FILE:
                break  # They come first.
            found[name] = value
        return found

    def entries(self) -> Iterator[Entry]:
        """The entries, in key order."""
        for kind, name, revision, value in self._records():
            if kind == _ENTRY:
                yield Entry(name, value, revision)

    def _records(self) -> Iterator[tuple[bytes, str, int, bytes]]:
        buffer = bytearray()
        try:
            for piece in self._unpacked():
                buffer += piece
                at = 0
                while len(buffer) - at >= _RECORD.size:
                    kind, name_bytes, revision, value_bytes = _RECORD.unpack_from(buffer, at)
                    if name_bytes > _PART_BYTES_MAX or value_bytes > _PART_BYTES_MAX:
                        raise ArchiveError(f"{self._path} has a record that cannot be")
                    start = at + _RECORD.size
                    end = start + name_bytes + value_bytes
                    if len(buffer) < end:
                        break
                    name = bytes(buffer[start : start + name_bytes]).decode()
                    yield kind, name, revision, bytes(buffer[start + name_bytes : end])
                    at = end
                del buffer[:at]
        except (zlib.error, UnicodeDecodeError) as error:
            raise ArchiveError(f"{self._path} cannot be unpacked: {error}") from error

    def _unpacked(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj()
        with self._path.open("rb") as file:
            file.seek(_HEAD_BYTES)
            while piece := file.read(_CHUNK_BYTES):
                yield unpacker.decompress(piece)
        yield unpacker.flush()


def _header(path: Path, head: bytes) -> Header:
    if not head.startswith(_MAGIC):
        raise ArchiveError(f"{path} is no backup made by `homeostat backup`")
    try:
        said = orjson.loads(head[len(_MAGIC) :])
        if said["format"] > FORMAT:
            text = f"{path} has format {said['format']} and this program knows up to {FORMAT}: restore it with the "
            raise ArchiveError(text + "program that wrote it, or a newer one")
        return Header(**said)
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise ArchiveError(f"{path}: its header is damaged; use another backup") from error


def _check(path: Path, header: Header, body: Iterator[bytes]) -> None:
    digest, length = hashlib.sha256(), 0
    for piece in body:
        digest.update(piece)
        length += len(piece)
    if length < header.body_bytes:
        text = f"{path} is cut short: {length} of {header.body_bytes} bytes of records are there"
        raise ArchiveError(text + "; use another backup")
    if length > header.body_bytes or digest.hexdigest() != header.body_sha256:
        raise ArchiveError(f"{path} is damaged: its checksum is not that of its records; use another backup")
