"""The lab's network for a command on the host that has no way into it: one of an ordinary user's lab.

As root the host reaches the nodes' addresses; otherwise the lab has a user namespace of its own around its network, and
what is to talk to nodes must be there. A child enters both, does the work, and hands back what came of it: the command
itself stays on the host, where the relay is and its user's files are.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar, cast

from homeostat.lab.control import ask
from homeostat.lab.nodes.connect import enter
from homeostat.lab.state import Folder, LabError

T = TypeVar("T")


def lab_words(folder: Folder) -> list[str]:
    """The words before a command by which it runs in the lab's network; none where the host reaches that. Raises
    LabError when the cluster does not run."""
    pid = _supervisor(folder)
    if not apart(pid):
        return []
    return ["nsenter", "--target", str(pid), "--user", "--net", "--preserve-credentials", "--"]


def in_network(folder: Folder, work: Callable[[], T]) -> T:
    """Do `work` where the nodes' addresses are; its result, which must be plain data. It is done in a child unless the
    host reaches them, so call it before this process has other threads. Raises LabError, also what `work` raises as
    one."""
    pid = _supervisor(folder)
    if not apart(pid):
        return work()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        well, value = pickle.loads(told) if told else (False, "it ended without a word")
        if not well:
            raise LabError(value)
        return cast(T, value)
    os.close(reading)
    outcome: tuple[bool, object] = (False, "it ended without a word")
    try:
        enter(pid)
        outcome = (True, work())
    except LabError as error:
        outcome = (False, str(error))
    except BaseException as error:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        outcome = (False, f"{type(error).__name__}: {error}")
    finally:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(outcome))
        os._exit(0)


class Sockets:
    """TCP sockets in the lab's network for a client on the host, which may connect them but has no network of its own
    from which it could. Where the host has one they are plain sockets. Close it, or end."""

    def __init__(self, folder: Folder) -> None:
        """Raises LabError when the cluster does not run."""
        pid = _supervisor(folder)
        self._maker: socket.socket | None = None
        self._child = 0
        if apart(pid):
            self._maker, its = socket.socketpair()
            self._child = os.fork()
            if not self._child:
                self._maker.close()
                _make_sockets(pid, its)
            its.close()

    def make(self) -> socket.socket:
        """A new one. Raises OSError."""
        if self._maker is None:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._maker.sendall(b"s")
        _, descriptors, _, _ = socket.recv_fds(self._maker, 1, 1)
        if not descriptors:
            raise ConnectionResetError("the way into the lab's network is gone")
        return socket.socket(fileno=descriptors[0])

    def close(self) -> None:
        """End the child that makes them; those that there are live on."""
        if self._maker is not None:
            self._maker.close()
            os.waitpid(self._child, 0)
            self._maker = None


def _make_sockets(pid: int, asked: socket.socket) -> NoReturn:
    """Be the child: one socket for each byte, until the asker has gone."""
    try:
        enter(pid)
        while asked.recv(1):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
                socket.send_fds(asked, [b"s"], [made.fileno()])
    except OSError as error:
        print(f"homeostat: the lab's network cannot be entered: {error}", file=sys.stderr)
    finally:
        os._exit(0)


def apart(pid: int) -> bool:
    """Whether a lab's process is in another user namespace than this one, and its network out of reach."""
    try:
        return os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    except OSError:
        return False


def _supervisor(folder: Folder) -> int:
    return int(ask(folder.supervisor_socket, {"do": "status"})["pid"])
