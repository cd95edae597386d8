"""`python -m homeostat.lab.links.connect PID PORT`: standard input and output joined to a port of a node.

For a client on a host that cannot reach the node's address, because the lab has a network of its own: this process
enters the user and the network namespace of the node's init, process PID, and connects from there.
"""

from __future__ import annotations

import os
import select
import socket
import sys

from homeostat.kit import kernel

_BLOCK_BYTES = 1 << 16
_CONNECT_SECONDS = 10.0


def main(pid: int, port: int) -> int:
    """Returns the exit code. Call it in a process of one thread."""
    try:
        enter(pid)
        with socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS) as sock:
            sock.settimeout(None)
            splice(sock)
    except OSError as error:
        print(f"homeostat: cannot connect to port {port} of the node: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def enter(pid: int) -> None:
    """Move this process, of one thread, into the user and the network namespace of another. Raises OSError."""
    for name, kind in (("user", kernel.NEWUSER), ("net", kernel.NEWNET)):
        path = f"/proc/{pid}/ns/{name}"
        if os.readlink(path) != os.readlink(f"/proc/self/ns/{name}"):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                kernel.setns(descriptor, kind)
            finally:
                os.close(descriptor)


def splice(sock: socket.socket) -> None:
    """Copy both ways until the other side has ended; an end of the input is passed on. Raises OSError."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(sock.fileno(), select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            data = os.read(descriptor, _BLOCK_BYTES)
            if descriptor == 0 and data:
                sock.sendall(data)
            elif descriptor == 0:
                poll.unregister(0)
                sock.shutdown(socket.SHUT_WR)
            elif data:
                _write_all(data)
            else:
                return


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
