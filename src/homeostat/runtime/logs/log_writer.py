"""Writing a container's log: the CRI format (`TIME STREAM TAG LINE`), with rotation by size.

Used by the shim, so it imports almost nothing. `0.log` is written to; `0.log.1` is the newest rotated file. The
limits are the kubelet's container-log-max-size (10Mi) and container-log-max-files (5).
"""

from __future__ import annotations

import os

from homeostat.kit import machine_clock

LINE_BYTES_MAX = 16384
SIZE_BYTES_MAX = 10 * 1024 * 1024
FILES_MAX = 5


class CriLog:
    """One container's log file. Call `write` with what a stream gave, `close` at its end."""

    def __init__(self, path: str, *, bytes_max: int = SIZE_BYTES_MAX, files_max: int = FILES_MAX) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._pending = {"stdout": b"", "stderr": b""}
        self._descriptor = -1
        self._size = 0
        self._open()

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Log the whole lines of `data`; a last line without its end waits for the rest of it."""
        *lines, rest = (self._pending[stream] + data).split(b"\n")
        head = f"{machine_clock.rfc3339_nano(machine_clock.wall_nanoseconds())} {stream} ".encode()
        out: list[bytes] = []
        for line in lines:
            while len(line) > LINE_BYTES_MAX:
                out.append(b"%bP %b\n" % (head, line[:LINE_BYTES_MAX]))
                line = line[LINE_BYTES_MAX:]
            out.append(b"%bF %b\n" % (head, line))
        while len(rest) > LINE_BYTES_MAX:
            out.append(b"%bP %b\n" % (head, rest[:LINE_BYTES_MAX]))
            rest = rest[LINE_BYTES_MAX:]
        self._pending[stream] = rest
        self._append(out)

    def close(self) -> None:
        """Log what never got its line end, and close the file."""
        for stream, rest in self._pending.items():
            if rest:
                head = f"{machine_clock.rfc3339_nano(machine_clock.wall_nanoseconds())} {stream} ".encode()
                self._append([b"%bF %b\n" % (head, rest)])
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, lines: list[bytes]) -> None:
        for start in range(0, len(lines), 256):
            block = b"".join(lines[start : start + 256])
            try:
                if self._descriptor < 0:
                    self._open()
                if self._size + len(block) > self._bytes_max and self._size:
                    self._rotate()
                self._size += os.write(self._descriptor, block)
            except OSError:
                # A full disk must not stop the container, whose pipe would fill: these lines are lost.
                continue

    def _rotate(self) -> None:
        for number in range(self._files_max - 1, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            if os.path.exists(older):
                os.replace(older, f"{self._path}.{number}")
        os.close(self._descriptor)
        self._descriptor = -1
        self._open()
