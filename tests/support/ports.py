"""Ports for clusters that a test stops and starts again: meanwhile no other test's cluster may take them."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress

# Above those that `homeostat up` tries by itself, below those that the kernel gives to outgoing connections.
_LOWEST, _COUNT = 12_000, 20_000
_numbers = itertools.count(os.getpid() * 37)


def own_port() -> tuple[str, ...]:
    """The options `--api-port` and `--console-port` with ports that only this process chooses, and that are free."""
    return "--api-port", str(free_port()), "--console-port", str(free_port())


def free_port() -> int:
    """A port that only this process chooses, and that is free."""
    for number in _numbers:
        port = _LOWEST + number % _COUNT
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")
