"""Watching other processes end, by pidfd: it works on those that are nobody's children here (an adopted shim)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class Exit:
    """The end of one process; `ended` is called once, on the loop."""

    def __init__(self, pid: int, ended: Callable[[], None]) -> None:
        self._pid = pid
        self._ended = ended
        self._done = asyncio.Event()
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
            pass  # somebody else's child: the lab's, or a former agent's
        self._ended()
        self._done.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Whether it ended in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._done.wait()
        except TimeoutError:
            return False
        return True

    def kill_shim(self) -> None:
        """SIGKILL to the watched process itself."""
        if self._descriptor >= 0:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Watch no longer."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


class StartSignal:
    """A pipe in a container's folder by which its shim says that `pid.json` or `exit.json` is written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "started"
        self._descriptor = -1
        self._said = asyncio.Event()

    def __enter__(self) -> StartSignal:
        if not self._path.exists():
            os.mkfifo(self._path)
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._descriptor, self._said.set)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    async def wait(self, shim: int, *, timeout_seconds: float) -> None:
        """Until the shim has spoken, or has ended. Raises TimeoutError."""
        ended = Exit(shim, self._said.set)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._said.wait()
        finally:
            ended.close()


def end_leftovers(container_id: str) -> None:
    """Kill every process that carries the container's mark in its environment: for when its shim was killed."""
    mark = f"HOMEOSTAT_CONTAINER={container_id}".encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                marked = mark in file.read().split(b"\0")
            if marked:
                os.kill(int(entry), signal.SIGKILL)
        except OSError:
            continue  # gone meanwhile, or another user's: then not ours
