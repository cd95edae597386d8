"""Pipes and terminals of a command, read and written without blocking the loop."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from typing import Any

_CHUNK_BYTES = 64 * 1024


class Descriptor:
    """One descriptor, which it owns; one task may read and one write."""

    def __init__(self, number: int) -> None:
        os.set_blocking(number, False)
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()

    async def read(self) -> bytes:
        """The next bytes; empty when all writers are gone, or it is closed."""
        while self._number >= 0:
            try:
                return os.read(self._number, _CHUNK_BYTES)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError as error:
                if error.errno != errno.EIO:  # a terminal's last program has closed it
                    raise
                return b""
        return b""

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises BrokenPipeError when the reader has closed."""
        rest = memoryview(data)
        while rest:
            if self._number < 0:
                raise BrokenPipeError(errno.EPIPE, "closed")
            try:
                rest = rest[os.write(self._number, rest) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError as error:
                raise BrokenPipeError(errno.EPIPE, "nobody reads") from error

    def resize(self, rows: int, columns: int) -> None:
        """Give a terminal its size; its programs get SIGWINCH."""
        if self._number >= 0:
            fcntl.ioctl(self._number, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Let go of it; who waits reads the end."""
        if self._number < 0:
            return
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)
        os.close(self._number)
        self._number = -1
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _ready(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        waiter = self._loop.create_future()
        self._waiting.add(waiter)
        add(self._number, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)
            if self._number >= 0:
                remove(self._number)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
