"""Watching containers from an agent that may come and go: by the pipe that a container's shim holds open."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from homeostat.runtime.children.processes import mark_of


class Exit:
    """The end of one process, by its pidfd; `ended` is called once, on the loop. A child of this process is reaped."""

    def __init__(self, pid: int, ended: Callable[[], None]) -> None:
        self._pid = pid
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = -1
            self._loop.call_soon(self._on_end)
            return
        self._loop.add_reader(self._descriptor, self._on_end)

    def _on_end(self) -> None:
        self.close()
        try:
            os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            pass  # another process's child: the lab's, or a former agent's
        self._ended()

    def close(self) -> None:
        """Watch no longer."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


class Life:
    """A container's life, by the pipe `alive` in its folder (`runtime.shim.container_process`): open one before its
    shim is asked to start it, or when a running container is adopted. Close it, or wait for the end."""

    def __init__(self, folder: Path) -> None:
        path = folder / "alive"
        if not path.exists():
            os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)
        self._start_reported = asyncio.Event()
        self._ended = asyncio.Event()
        self._then: Callable[[], None] | None = None

    def _read(self) -> None:
        try:
            line = os.read(self._descriptor, 16)
        except BlockingIOError:
            return
        self._start_reported.set()
        if not line:
            self.close()
            self._ended.set()
            if self._then is not None:
                self._then()

    async def started(self, shim: int, *, timeout_seconds: float) -> None:
        """Wait until the shim has reported the result of the start, or has ended. Raises TimeoutError."""
        watched = Exit(shim, self._start_reported.set)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._start_reported.wait()
        finally:
            watched.close()

    def on_end(self, then: Callable[[], None], *, adopted: bool = False) -> None:
        """Call `then` once, on the loop, when the container has ended or its shim was killed; soon when that is so
        already. For one that was `adopted`, a pipe that no process holds open means the end."""
        self._then = then
        if self._ended.is_set():
            self._loop.call_soon(then)
        elif adopted:
            self._loop.call_soon(self._read_if_open)

    def _read_if_open(self) -> None:
        if self._descriptor >= 0:
            self._read()

    async def wait(self, timeout_seconds: float) -> bool:
        """Whether it ended in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Watch no longer."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


def end_leftovers(container_id: str) -> None:
    """Kill every process that carries the container's mark in its environment: for when its shim was killed."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid() or mark_of(int(entry)) != container_id:
            continue
        try:
            os.kill(int(entry), signal.SIGKILL)
        except OSError:
            continue  # gone meanwhile
