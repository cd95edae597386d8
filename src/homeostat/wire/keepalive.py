"""TCP keep-alive: the peer's kernel is asked whether it still knows a connection on which nothing passes.

A machine that loses its power says no goodbye, and one that is back knows nothing of its former connections.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The first question after so many seconds of silence, then one each interval; so many unanswered end it."""

    idle_seconds: int
    interval_seconds: int
    probes: int


def keep_alive(transport: asyncio.BaseTransport, timing: KeepAlive) -> None:
    """Let the kernel ask; what is no TCP connection is left as it is."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    with suppress(OSError):  # a Unix socket has no such option
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, timing.idle_seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, timing.interval_seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, timing.probes)
