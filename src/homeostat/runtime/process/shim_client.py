"""Running a command in a container: asking its shim, which runs it as a child of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import msgspec
import orjson

from homeostat.runtime.contract import ExecResult, RuntimeFault

OUTPUT_BYTES_MAX = 16384
_KILLED = 137


async def run(folder: Path, argv: tuple[str, ...], *, timeout_seconds: float) -> ExecResult:
    """Run `argv` in the container of `folder`. Raises RuntimeFault when its shim is gone."""
    out_read, out_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    output = _Output(out_read)
    try:
        os.set_blocking(out_write, True)
        connection = await connect(folder)
        try:
            socket.send_fds(connection, [orjson.dumps({"argv": argv})], [out_write])
            os.close(out_write)
            out_write = -1
            answer = await answer_of(connection, timeout_seconds)
        finally:
            connection.close()
        output.read()
    finally:
        output.close()
        if out_write >= 0:
            os.close(out_write)
    if answer is None:
        return ExecResult(_KILLED, output.data, timed_out=True)
    return ExecResult(answer, output.data)


async def connect(folder: Path) -> socket.socket:
    """A connection to the shim of the container of `folder`. Raises RuntimeFault when it is gone."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.settimeout(0)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Through the descriptor, for a socket's path may have 107 bytes only. A Unix connect never waits.
        connection.connect(f"/proc/self/fd/{place}/exec.sock")
    except OSError as error:
        connection.close()
        raise RuntimeFault("Unavailable", f"the container's shim does not answer: {error}") from error
    finally:
        os.close(place)
    return connection


async def answer_of(connection: socket.socket, timeout_seconds: float) -> int | None:
    """The exit code of the command ordered there, or None when time was over (0: never)."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_seconds or None):
            data = await loop.sock_recv(connection, 4096)
    except TimeoutError:
        return None
    except OSError:
        return _KILLED
    return int(msgspec.json.decode(data)["code"]) if data else _KILLED


class _Output:
    """What the command wrote, read as it comes so that it never waits for us; the first OUTPUT_BYTES_MAX are kept."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.data = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self.read)

    def read(self) -> None:
        """Take what is there now."""
        while True:
            try:
                part = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return
            if not part:
                self._loop.remove_reader(self._descriptor)
                return
            self.data += part[: OUTPUT_BYTES_MAX - len(self.data)]

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
