"""API ports for clusters that a test stops and starts again: meanwhile no other test's cluster may take them."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress

# Above those that `homeostat up` tries by itself, below those that the kernel gives to outgoing connections.
_LOWEST, _COUNT = 12_000, 20_000
_numbers = itertools.count(os.getpid() * 37)


def own_port() -> tuple[str, str]:
    """The option `--api-port` with a port that only this process chooses, and that is free."""
    for number in _numbers:
        port = _LOWEST + number % _COUNT
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return "--api-port", str(port)
    raise AssertionError("no port is free")
