"""The contents of one layer of an image: paths with what is there, and the reproducible tar that they become.

Paths are relative (`usr/bin/etcd`). All belongs to root and carries one fixed time, so equal input gives equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

# The time of every file: 2020-01-01T00:00:00Z. (Zero confuses tools that take it for "unknown".)
FIXED_SECONDS = 1_577_836_800
# tarfile's own buffer is 16 KiB; fewer, larger writes halve the time.
_BUFFER_BYTES = 1 << 20

# What becomes of a file's content on its way into an image; it may look at the file itself.
Change = Callable[[bytes, Path], bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """One path: a file of this machine (`source`, passed through `change`), given `data`, a `link`, or a folder."""

    mode: int
    source: Path | None = None
    data: bytes | None = None
    link: str = ""
    change: Change | None = None

    def content(self) -> bytes:
        """A file's bytes. Raises OSError when its source cannot be read."""
        if self.data is not None:
            return self.data
        assert self.source is not None
        read = self.source.read_bytes()
        return self.change(read, self.source) if self.change else read

    @property
    def is_file(self) -> bool:
        """Neither a folder nor a link."""
        return self.data is not None or self.source is not None


@dataclass(slots=True)
class Tree:
    """The entries of a layer by path. Parent folders need not be named."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def file(self, path: str, source: Path, *, mode: int | None = None, change: Change | None = None) -> None:
        """A file of this machine; `mode` None keeps whether it can be executed."""
        if mode is None:
            mode = 0o755 if source.stat().st_mode & stat.S_IXUSR else 0o644
        self.entries[_clean(path)] = Entry(mode, source=source, change=change)

    def text(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """A file with a given text."""
        self.entries[_clean(path)] = Entry(mode, data=text.encode())

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self.entries[_clean(path)] = Entry(0o777, link=target)

    def folder(self, path: str, *, mode: int = 0o755) -> None:
        """An empty folder, or one with a mode of its own."""
        self.entries[_clean(path)] = Entry(mode)

    def fingerprint(self) -> str:
        """Changes when an input does: sources are compared by path, size and time, not read."""
        digest = hashlib.sha256()
        for path, entry in sorted(self.entries.items()):
            line = [path, oct(entry.mode), entry.link]
            if entry.data is not None:
                line.append(hashlib.sha256(entry.data).hexdigest())
            if entry.source is not None:
                seen = entry.source.stat()
                change = entry.change.__qualname__ if entry.change else ""
                line += [str(entry.source), str(seen.st_size), str(seen.st_mtime_ns), change]
            digest.update("\0".join(line).encode() + b"\n")
        return digest.hexdigest()

    def write(self, out: BinaryIO) -> None:
        """The layer as a tar, sorted, folders before what is in them."""
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, bufsize=_BUFFER_BYTES) as tar:
            for path, entry in self._with_parents():
                header = tarfile.TarInfo(path)
                header.mtime, header.mode, header.uname, header.gname = FIXED_SECONDS, entry.mode, "root", "root"
                if entry.is_file:
                    content = entry.content()
                    header.size = len(content)
                    tar.addfile(header, io.BytesIO(content))
                    continue
                header.type = tarfile.SYMTYPE if entry.link else tarfile.DIRTYPE
                header.linkname = entry.link
                tar.addfile(header)

    def _with_parents(self) -> Iterator[tuple[str, Entry]]:
        every = {
            str(parent): Entry(0o755)
            for path in self.entries
            for parent in PurePosixPath(path).parents
            if parent != PurePosixPath(".")
        }
        yield from sorted({**every, **self.entries}.items())


def _clean(path: str) -> str:
    parts = PurePosixPath(path.lstrip("/"))
    if ".." in parts.parts or not parts.parts:
        raise ValueError(f"{path!r} is no path inside an image")
    return str(parts)
