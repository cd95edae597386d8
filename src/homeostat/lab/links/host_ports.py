"""Listening sockets on the host's loopback for a process that lives in the lab's own network.

A socket belongs to the network in which it was made, whichever process uses it. So a small process is forked before the
supervisor enters the lab's namespaces; it stays on the host, binds ports of 127.0.0.1 when asked to, and hands the
sockets over. It serves no connection itself, and it ends when nobody holds its channel any more.
"""

from __future__ import annotations

import errno
import os
import socket

from homeostat.lab.processes.forking import fork_apart

HOST = "127.0.0.1"
_PORT_BYTES = 2
_ANSWER_SECONDS_MAX = 2.0


def listening(port: int) -> socket.socket:
    """A socket bound to a port of the host's loopback; any free one for port 0. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        # Bound and not listening, a second one would be bound to the same port as well.
        sock.listen(128)
        sock.settimeout(0)
    except OSError:
        sock.close()
        raise
    return sock


def asked(channel: socket.socket, port: int) -> socket.socket:
    """The same, made by the process at the other end of `channel`. Raises OSError, also when that process is gone."""
    # An answer of its own for each request: one that comes too late is nobody's.
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            socket.send_fds(channel, [port.to_bytes(_PORT_BYTES, "big")], [theirs.fileno()])
        ours.settimeout(_ANSWER_SECONDS_MAX)
        code, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    if descriptors:
        made = socket.socket(fileno=descriptors[0])
        made.settimeout(0)
        return made
    number = code[0] if code else errno.EPIPE
    raise OSError(number, os.strerror(number))


def fork(inherited: list[int]) -> socket.socket:
    """Fork the process; it runs while this process or a child of it holds the channel that is returned.

    `inherited` are descriptors that it must not keep. It is no child of this process, which ends all of its own.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fork_apart("homeostat-ports", lambda: serve(theirs), close=[*inherited, ours.fileno()])
    theirs.close()
    return ours


def serve(channel: socket.socket) -> None:
    """Answer requests for ports until nobody holds the other end of `channel`."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, _PORT_BYTES, 1)
        if not request:
            return
        for descriptor in descriptors:
            with socket.socket(fileno=descriptor) as answer:
                _answer(answer, int.from_bytes(request, "big"))


def _answer(answer: socket.socket, port: int) -> None:
    try:
        with listening(port) as made:
            socket.send_fds(answer, [b"\0"], [made.fileno()])
    except OSError as error:
        # The asker may have gone in the meantime, which is its own affair.
        try:
            answer.send(bytes([error.errno or errno.EIO]))
        except OSError:
            return
