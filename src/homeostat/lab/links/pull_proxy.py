"""Access to registries: a forward proxy (RFC 9110, CONNECT and absolute requests) from a lab into the host's network.

Nodes have no route out of the lab; their container engines ask this proxy, which runs on the host's side and is given a
socket that listens inside the lab. It opens no port on the host and keeps no list of hosts: it reaches what its user
reaches, but for the host's loopback: pods could use it, too, and what listens there is meant for the host alone (nor
would an engine ask a proxy for localhost). What failed is in the answer's reason, as that is what an engine
shows, and so what a pod's ErrImagePull says.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from homeostat.api import reachable
from homeostat.kit import tasks
from homeostat.kit.log import logger

Dial = Callable[[str, int], Awaitable[tuple[StreamReader, StreamWriter]]]

_HEAD_BYTES_MAX = 16 * 1024
_CHUNK_BYTES = 64 * 1024
_LINGER_SECONDS = 1.0
# Above this many times the bound, connections are closed before they have asked.
_WAITING_FACTOR = 4
_LOAD_INSTEAD = "without a network, `homeostat image load FILE` brings images"
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
# Of the connection to this proxy, not of the message (RFC 9110, 7.6.1).
_HOP = re.compile(rb"(?i)^(proxy-[\w-]+|connection|keep-alive|te|upgrade):")
_log = logger("pullproxy")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many pulls at once, and how long each step may take. A layer may take for ever, as long as it comes."""

    connections_max: int = 64
    head_seconds: float = 10.0
    dial_seconds: float = 10.0
    idle_seconds: float = 120.0


class _Refusal(Exception):
    """An answer of the proxy's own: its status and its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


async def dial_outside(host: str, port: int) -> tuple[StreamReader, StreamWriter]:
    """Connect to a host by name or address, never to this machine's loopback. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [address for *_, (address, *_) in found if _outside(address)]
    failed: OSError = PermissionError(errno.EACCES, "it is the loopback of the lab's host")
    for address in addresses:
        try:
            # The address that was looked at, and not the name again, which may say something else by now.
            return await asyncio.open_connection(address, port)
        except OSError as error:
            failed = error
    raise failed


def _outside(text: str) -> bool:
    address = reachable.address_of(text)
    return address is not None and not reachable.is_loopback(address)


class PullProxy:
    """Serves on listening sockets until it is closed. `dial` opens connections to registries."""

    def __init__(self, *, bounds: Bounds = Bounds(), dial: Dial = dial_outside) -> None:
        self._bounds = bounds
        self._dial = dial
        self._servers: list[asyncio.Server] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def listen(self, listener: socket.socket) -> None:
        """Serve on a socket that listens, in whichever network it was made; may be called for several."""
        listener.settimeout(0)
        self._servers.append(await asyncio.start_server(self._accepted, sock=listener, limit=_HEAD_BYTES_MAX))

    async def close(self) -> None:
        """Stop, and drop what is under way."""
        for server in self._servers:
            server.close()
        await tasks.stop(*self._serving)

    def _accepted(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = tasks.spawn(self._serve(reader, writer), name="pullproxy")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            if len(self._serving) <= self._bounds.connections_max * _WAITING_FACTOR:
                await self._forward(reader, writer)
        except _Refusal as refusal:
            _log.info("%s", refusal.reason)
            await _answer(reader, writer, refusal)
        except (OSError, TimeoutError) as error:
            _log.info("a pull's connection ended: %s", str(error) or "nothing came for too long")
        finally:
            writer.close()

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        method, target, head = await self._head(reader)
        if len(self._serving) > self._bounds.connections_max:
            raise _Refusal(503, f"more than {self._bounds.connections_max} pulls at once, try again")
        if method == b"CONNECT":
            host, port = _authority(target.decode("latin-1"), 443)
            first = b""
        else:
            host, port, first = _origin_form(method, target, head)
        far_reader, far_writer = await self._open(host, port)
        try:
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            far_writer.write(first)
            await self._join((reader, far_writer), (far_reader, writer))
        finally:
            far_writer.close()

    async def _head(self, reader: StreamReader) -> tuple[bytes, bytes, list[bytes]]:
        """A request's method, target and header lines."""
        try:
            async with asyncio.timeout(self._bounds.head_seconds):
                block = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise ConnectionError("the client left before it asked") from None
        except (asyncio.LimitOverrunError, ValueError):
            raise _Refusal(431, f"a request's head has more than {_HEAD_BYTES_MAX} bytes") from None
        except TimeoutError:
            raise _Refusal(408, f"no request came within {self._bounds.head_seconds:g} s") from None
        line, *head = block[:-4].split(b"\r\n")
        parts = line.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            raise _Refusal(400, "this is a proxy for HTTP/1.1")
        return parts[0], parts[1], head

    async def _open(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        try:
            async with asyncio.timeout(self._bounds.dial_seconds):
                return await self._dial(host, port)
        except TimeoutError:
            raise _Refusal(504, f"{host}:{port} does not answer; {_LOAD_INSTEAD}") from None
        except socket.gaierror:
            raise _Refusal(502, f"the name {host} is not known here; {_LOAD_INSTEAD}") from None
        except OSError as error:
            if error.errno in _NO_WAY:
                raise _Refusal(502, f"there is no way to {host} from here; {_LOAD_INSTEAD}") from None
            raise _Refusal(502, f"{host}:{port} cannot be reached: {error.strerror or error}") from None

    async def _join(self, *ways: tuple[StreamReader, StreamWriter]) -> None:
        """Carry bytes both ways until both have ended, or none came either way for too long. Raises TimeoutError."""
        async with asyncio.timeout(self._bounds.idle_seconds) as deadline:
            # Where one way breaks, the caller closes both connections, and so the other way ends too.
            await asyncio.gather(*(self._carry(reader, writer, deadline) for reader, writer in ways))

    async def _carry(self, reader: StreamReader, writer: StreamWriter, deadline: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(_CHUNK_BYTES):
            deadline.reschedule(loop.time() + self._bounds.idle_seconds)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def serve(channel: socket.socket) -> None:
    """The whole life of the proxy's process: serve on each socket that comes over `channel`, a Unix socket, until its
    other end is closed. Forked before the lab enters its namespaces, it stays outside of them."""
    asyncio.run(_serve_until_left(channel))


def hand_over(channel: socket.socket, listener: socket.socket) -> None:
    """Give the proxy's process a socket that listens; the caller may close its own."""
    socket.send_fds(channel, [b"L"], [listener.fileno()])


async def _serve_until_left(channel: socket.socket) -> None:
    proxy, left, loop = PullProxy(), asyncio.Event(), asyncio.get_running_loop()
    channel.settimeout(0)

    def on_readable() -> None:
        said, descriptors, _, _ = socket.recv_fds(channel, 64, 8)
        for descriptor in descriptors:
            tasks.spawn(proxy.listen(socket.socket(fileno=descriptor)), name="pullproxy/listen")
        if not said:
            left.set()

    loop.add_reader(channel, on_readable)
    await left.wait()
    loop.remove_reader(channel)
    await proxy.close()


def _authority(text: str, usual: int) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:/@\s]+)(?::(\d{1,5}))?", text)
    if found is None or not 0 < int(found[2] or usual) < 65536:
        raise _Refusal(400, "a target is HOST:PORT")
    return found[1].strip("[]"), int(found[2] or usual)


def _origin_form(method: bytes, target: bytes, head: list[bytes]) -> tuple[str, int, bytes]:
    """The destination of an absolute request, and its head as the server there is to see it. One request a
    connection."""
    url = urlsplit(target.decode("latin-1"))
    if url.scheme != "http":
        raise _Refusal(400, "this is a proxy: ask for http://HOST/PATH, or CONNECT HOST:PORT")
    host, port = _authority(url.netloc, 80)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [b"%s %s HTTP/1.1" % (method, path.encode("latin-1"))]
    lines += [line for line in head if not _HOP.match(line)]
    lines += [b"Connection: close", b"", b""]
    return host, port, b"\r\n".join(lines)


async def _answer(reader: StreamReader, writer: StreamWriter, refusal: _Refusal) -> None:
    reason = f"homeostat: {refusal.reason}".encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
    body = reason + b"\n"
    head = b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    writer.write(head % (refusal.status, reason, len(body)) + body)
    try:
        writer.write_eof()
        # A connection closed with bytes unread is reset, and the client would not see why.
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(_CHUNK_BYTES):
                pass
    except (OSError, TimeoutError):
        _log.debug("a client did not wait for its answer, or never ends")
