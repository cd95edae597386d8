"""The way to registries of a lab: the proxy's process stays in the host's network, its socket is in the lab's.

A socket belongs to the network in which it was made, whoever uses it. So the process is forked before the supervisor
enters the lab's namespaces, and the socket is made after that and handed over.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from typing import NoReturn

from homeostat.kit import kernel
from homeostat.lab import pullproxy

PORT = 3128


def fork(inherited: list[int]) -> socket.socket:
    """Fork the proxy's process, which runs while this process or a child of its holds the channel that is returned.

    `inherited` are descriptors that it has no use for. It is no child of this process, which ends all of its own.
    """
    ours, theirs = socket.socketpair()
    between = os.fork()
    if not between:
        if os.fork():
            os._exit(0)
        ours.close()
        _run(theirs, inherited)
    theirs.close()
    os.waitpid(between, 0)
    return ours


def listen(channel: socket.socket, address: str) -> str:
    """Make the proxy listen at an address of the network that this process is in; its URL. Raises OSError."""
    with socket.create_server((address, PORT), backlog=128) as listener:
        pullproxy.hand_over(channel, listener)
    return f"http://{address}:{PORT}"


def _run(channel: socket.socket, inherited: list[int]) -> NoReturn:
    try:
        for descriptor in inherited:
            os.close(descriptor)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        kernel.set_name("homeostat-pulls")
        pullproxy.serve(channel)
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)
