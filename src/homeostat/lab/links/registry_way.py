"""Access of a lab to registries: the proxy's process stays in the host's network, its socket is in the lab's.

A socket belongs to the network in which it was made, whoever uses it. So the process is forked before the supervisor
enters the lab's namespaces, and the socket is made after that and handed over.
"""

from __future__ import annotations

import socket

from homeostat.lab.links import pull_proxy
from homeostat.lab.processes.forking import fork_apart

PORT = 3128


def fork(inherited: list[int]) -> socket.socket:
    """Fork the proxy's process, which runs while this process or a child of its holds the channel that is returned.

    `inherited` are descriptors that it has no use for. It is no child of this process, which ends all of its own.
    """
    ours, theirs = socket.socketpair()
    fork_apart("homeostat-pulls", lambda: pull_proxy.serve(theirs), close=[*inherited, ours.fileno()])
    theirs.close()
    return ours


def listen(channel: socket.socket, address: str) -> str:
    """Make the proxy listen at an address of the network that this process is in; its URL. Raises OSError."""
    with socket.create_server((address, PORT), backlog=128) as listener:
        pull_proxy.hand_over(channel, listener)
    return f"http://{address}:{PORT}"
