"""exec and attach: the streams of one command, in the protocol v4.channel.k8s.io (pkg/kubelet/cri/streaming).

There is a stream for errors and one for each of the command's streams, and one for the sizes of a terminal. The
error stream gets one Status, how the command ended; then all is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec
import orjson

from homeostat.kit import tasks
from homeostat.runtime.contract import RuntimeFault, StreamOptions
from homeostat.runtime.streaming.spdy_session import Connection, Streaming

PROTOCOL = "v4.channel.k8s.io"
_OPEN_SECONDS_MAX = 30.0
# How long output is waited for after a command has ended.
_DRAIN_SECONDS_MAX = 1.0
_SIZE_BYTES_MAX = 1024
_SUCCESS = {"metadata": {}, "status": "Success"}


class Outlet(Protocol):
    """Where a command's output comes from."""

    async def read(self) -> bytes: ...


class Inlet(Protocol):
    """The target of a command's input."""

    async def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Command:
    """A command that runs: its ends (None: it has no such stream), its exit code, what sets its terminal's size (rows,
    columns), and what lets go of it."""

    stdin: Inlet | None
    stdout: Outlet | None
    stderr: Outlet | None
    exit_code: Callable[[], Awaitable[int]]
    resize: Callable[[int, int], None]
    close: Callable[[], None]


Streams: TypeAlias = dict[str, Streaming]


class _Size(msgspec.Struct):
    Width: int
    Height: int


def expected(options: StreamOptions) -> set[str]:
    """The streams that a client opens."""
    wanted = {"error": True, "stdin": options.stdin, "stdout": options.stdout}
    wanted |= {"stderr": options.stderr and not options.tty, "resize": options.tty}
    return {name for name, asked in wanted.items() if asked}


async def serve(
    connection: Connection, options: StreamOptions, begin: Callable[[], Awaitable[Command]], *, doing: str
) -> None:
    """Run a command, or join one that runs, once its streams are there, for the client at `connection`. `doing` is what
    a failure to begin is called."""

    async def work(streams: Streams) -> None:
        try:
            status = await _run(streams, await begin())
        except RuntimeFault as fault:
            status = _failure("InternalError", f"error {doing} container: {fault.message}", code=500)
        streams["error"].write(orjson.dumps(status))

    await _with_streams(connection, expected(options), work)


async def _with_streams(connection: Connection, names: set[str], work: Callable[[Streams], Awaitable[None]]) -> None:
    """Do the work once the streams are there, until it is done or the client has left; then close everything."""
    streams, there = Streams(), asyncio.Event()

    def opened(stream: Streaming) -> None:
        streams[stream.headers.get("streamtype", "")] = stream
        if names <= streams.keys():
            there.set()

    async def whole() -> None:
        with contextlib.suppress(TimeoutError, ConnectionError):  # then there is no client left
            async with asyncio.timeout(_OPEN_SECONDS_MAX):
                await there.wait()
            # A WebSocket has all channels from the start; those that were not requested stay silent.
            await work({name: streams[name] for name in names})

    reading = tasks.spawn(_read(connection, opened), name="spdy session")
    working = tasks.spawn(whole(), name="stream work")
    try:
        await asyncio.wait((reading, working), return_when=asyncio.FIRST_COMPLETED)
    finally:
        connection.close()
        await tasks.stop(reading, working)


async def _read(connection: Connection, opened: Callable[[Streaming], None]) -> None:
    with contextlib.suppress(ConnectionError):  # no SPDY, or gone
        await connection.run(opened)


async def _run(streams: Streams, command: Command) -> dict[str, object]:
    """Carry the streams of a command until it has ended; the Status of its end."""
    helpers = []
    outputs = []
    try:
        if command.stdin is not None and "stdin" in streams:
            helpers.append(tasks.spawn(_feed(streams["stdin"], command.stdin), name="stdin"))
        if "resize" in streams:
            helpers.append(tasks.spawn(_follow_size(streams["resize"], command.resize), name="resize"))
        for name, outlet in (("stdout", command.stdout), ("stderr", command.stderr)):
            if outlet is not None:
                outputs.append(tasks.spawn(_show(outlet, streams.get(name)), name=name))
        code = await command.exit_code()
        # What it wrote before it ended is shown; what its own children still write is not waited for.
        if outputs:
            await asyncio.wait(outputs, timeout=_DRAIN_SECONDS_MAX)
    finally:
        command.close()
        await tasks.stop(*helpers, *outputs)
    if code == 0:
        return dict(_SUCCESS)
    causes = [{"reason": "ExitCode", "message": str(code)}]
    words = f"command terminated with non-zero exit code: exit status {code}"
    return _failure("NonZeroExitCode", words) | {"details": {"causes": causes}}


def _failure(reason: str, message: str, *, code: int = 0) -> dict[str, object]:
    status: dict[str, object] = {"metadata": {}, "status": "Failure", "message": message, "reason": reason}
    return status | ({"code": code} if code else {})


async def _feed(stream: Streaming, stdin: Inlet) -> None:
    try:
        while data := await stream.read():
            await stdin.write(data)
    except BrokenPipeError:
        # The command reads no more; what the client still sends must not stop the connection.
        while await stream.read():
            pass
    finally:
        stdin.close()


async def _show(outlet: Outlet, stream: Streaming | None) -> None:
    try:
        while data := await outlet.read():
            if stream is not None:
                stream.write(data)
                await stream.drain()
    except ConnectionError:
        return
    if stream is not None:
        stream.end()


async def _follow_size(stream: Streaming, resize: Callable[[int, int], None]) -> None:
    """Sizes come as JSON objects, a line each; a client may leave out the line's end."""
    rest = b""
    while data := await stream.read():
        *lines, rest = (rest + data).split(b"\n")
        for line in (*lines, rest):
            with contextlib.suppress(msgspec.MsgspecError):
                size = msgspec.json.decode(line, type=_Size)
                resize(size.Height, size.Width)
        rest = rest[:_SIZE_BYTES_MAX]
