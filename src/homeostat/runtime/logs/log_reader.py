"""Reading a container's CRI log across its rotated files: from a time on, the last lines, and on as it grows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator

from homeostat.kit import clock
from homeostat.runtime.contract import LogLine, LogSpan
from homeostat.runtime.logs.log_writer import FILES_MAX

_FOLLOW_SECONDS = 0.05
_BLOCK_BYTES = 1 << 18


async def read(path: str, span: LogSpan, running: Callable[[], bool]) -> AsyncIterator[LogLine]:
    """The lines of the log at `path`, oldest first. With `follow`: also those that come while `running()`."""
    since = clock.rfc3339_nano(span.since).encode() if span.since else b""
    follower = _Follower(path, span.tail_lines)
    try:
        while True:
            alive = running()
            for raw in follower.lines():
                line = parse(raw)
                if line is not None and line.time.encode() >= since:
                    yield line
            if not span.follow or not alive:
                return
            await clock.sleep(_FOLLOW_SECONDS)
    finally:
        follower.close()


def parse(raw: bytes) -> LogLine | None:
    """One line of the file (without its end), or None when it is no CRI line."""
    parts = raw.split(b" ", 3)
    if len(parts) < 4:
        return None
    return LogLine(parts[0].decode(), parts[1].decode(), parts[3], partial=parts[2] == b"P")


class _Follower:
    """Reads on through rotations: a file that was renamed is read to its end before the one that took its place."""

    def __init__(self, path: str, tail_lines: int | None) -> None:
        self._path = path
        self._descriptor = -1
        self._rest = b""
        files = [name for name in (*(f"{path}.{n}" for n in range(FILES_MAX, 0, -1)), path) if os.path.exists(name)]
        offset = 0
        if tail_lines is not None:
            files, offset = _tail(files, tail_lines)
        if files:
            self._descriptor = os.open(files[0], os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(self._descriptor, offset, os.SEEK_SET)

    def lines(self) -> Iterator[bytes]:
        """The whole lines that are there now."""
        if self._descriptor < 0 and os.path.exists(self._path):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        while self._descriptor >= 0:
            data = os.read(self._descriptor, _BLOCK_BYTES)
            if not data:
                newer = self._newer()
                if not newer:
                    return
                # What was written between the read and the rename is still to be read from the old file.
                data = os.read(self._descriptor, _BLOCK_BYTES)
                if not data:
                    self._switch(newer)
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from lines

    def _newer(self) -> str:
        """The next newer file, empty when the present one is the newest."""
        mine = os.fstat(self._descriptor)
        newer = ""
        for name in (self._path, *(f"{self._path}.{n}" for n in range(1, FILES_MAX + 1))):
            try:
                found = os.stat(name)
            except FileNotFoundError:
                continue
            if (found.st_ino, found.st_dev) == (mine.st_ino, mine.st_dev):
                break
            newer = name
        return newer

    def _switch(self, name: str) -> None:
        following = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        os.close(self._descriptor)
        self._descriptor = following

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _tail(files: list[str], count: int) -> tuple[list[str], int]:
    """Which files (oldest first) hold the last `count` lines, and where in the first of them they begin."""
    for place in range(len(files) - 1, -1, -1):
        with open(files[place], "rb") as file:
            data = file.read()
        position = len(data)
        while count and position:
            position = data.rfind(b"\n", 0, position - 1) + 1
            count -= 1
        if not count:
            return files[place:], position
    return files, 0
