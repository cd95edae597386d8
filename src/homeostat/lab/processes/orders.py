"""Orders to the processes of a lab: one JSON line over a Unix socket, one line back."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from homeostat.cluster.lab_orders import BadOrder, Order, read_order
from homeostat.cluster.state_folder import LabError
from homeostat.kit.log import logger
from homeostat.runtime.children.descriptors import Descriptors

Answer = dict[str, Any]
Reply = Callable[[Answer], None]
# Handles an order, and replies to it now or later.
Handler = Callable[[Order, Reply], None]
_PATH_BYTES_MAX = 100
_LINE_BYTES_MAX = 65536
_log = logger("orders")


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a Unix socket's address (108 bytes): its own, or one through /proc."""
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def bind(path: Path) -> socket.socket:
    """A listening Unix socket at `path`, replacing what a dead process left there."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(path) as name:
        sock.bind(name)
    path.chmod(0o600)
    sock.listen(64)
    return sock


class Orders:
    """Takes orders on a listening socket in a process without an event loop; `handler` is called with each, and with
    what takes its answer."""

    def __init__(self, listener: socket.socket, descriptors: Descriptors, handler: Handler) -> None:
        self._listener = listener
        self._descriptors = descriptors
        self._handler = handler
        listener.settimeout(0)
        descriptors.watch(listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection.settimeout(0)
        pending = bytearray()
        self._descriptors.watch(connection.fileno(), lambda: self._read(connection, pending))

    def _read(self, connection: socket.socket, pending: bytearray) -> None:
        try:
            received = connection.recv(_LINE_BYTES_MAX)
        except OSError:
            received = b""
        if not received or len(pending) > _LINE_BYTES_MAX:
            self._descriptors.forget(connection.fileno())
            connection.close()
            return
        *lines, rest = bytes(pending + received).split(b"\n")
        pending[:] = rest
        for line in lines:
            self._take(line, lambda answer: _send(connection, answer))

    def _take(self, line: bytes, reply: Reply) -> None:
        try:
            order = read_order(line)
        except BadOrder as error:
            reply({"error": str(error)})
        else:
            self._handler(order, reply)


def _send(connection: socket.socket, answer: Answer) -> None:
    try:
        connection.sendall(orjson.dumps(answer) + b"\n")
    except OSError:
        _log.info("the sender of an order left before its answer")


def ask(path: Path, order: Order, *, timeout_seconds: float = 30.0) -> Answer:
    """Send one order and wait for its answer. Raises LabError when nobody listens or the answer is an error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_seconds)
        try:
            with short_path(path) as name:
                sock.connect(name)
            sock.sendall(order.line())
            with sock.makefile("rb") as lines:
                line = lines.readline()
        except TimeoutError:
            raise LabError(f"no answer within {timeout_seconds:.0f} s to the order {order.verb!r}") from None
        except OSError:
            raise LabError("the cluster is not running; start it with `homeostat up`") from None
    return _checked(line)


async def ask_async(path: Path, order: Order, *, timeout_seconds: float = 30.0) -> Answer:
    """The same from an event loop."""
    try:
        async with asyncio.timeout(timeout_seconds):
            with short_path(path) as name:
                reader, writer = await asyncio.open_unix_connection(name)
            try:
                writer.write(order.line())
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise LabError(f"no answer to the order {order.verb!r}: {type(error).__name__}") from error
    return _checked(line)


def _checked(line: bytes) -> Answer:
    if not line:
        raise LabError("the cluster ended before it answered")
    answer: Answer = orjson.loads(line)
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return answer
