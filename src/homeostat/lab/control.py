"""Orders to the supervisor and to the network process: one JSON line over a Unix socket, one line back."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from homeostat.lab.state import LabError

Answer = dict[str, Any]
_PATH_BYTES_MAX = 100


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


def ask(path: Path, order: Answer, *, timeout_seconds: float = 30.0) -> Answer:
    """Send one order and wait for its answer. Raises LabError when nobody listens or the answer is an error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_seconds)
        try:
            with short_path(path) as name:
                sock.connect(name)
            sock.sendall(orjson.dumps(order) + b"\n")
            with sock.makefile("rb") as lines:
                line = lines.readline()
        except TimeoutError:
            raise LabError(f"no answer within {timeout_seconds:.0f} s to the order {order['do']!r}") from None
        except OSError:
            raise LabError("the cluster is not running; start it with `homeostat up`") from None
    return _checked(line)


async def ask_async(path: Path, order: Answer, *, timeout_seconds: float = 30.0) -> Answer:
    """The same from an event loop."""
    try:
        async with asyncio.timeout(timeout_seconds):
            with short_path(path) as name:
                reader, writer = await asyncio.open_unix_connection(name)
            try:
                writer.write(orjson.dumps(order) + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise LabError(f"no answer to the order {order['do']!r}: {type(error).__name__}") from error
    return _checked(line)


def _checked(line: bytes) -> Answer:
    if not line:
        raise LabError("the cluster ended before it answered")
    answer: Answer = orjson.loads(line)
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return answer
