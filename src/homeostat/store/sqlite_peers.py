"""Notifies the other processes on one file of a commit at once, by Unix sockets in a folder beside it.

Every process listens there and is connected to every other. A message only says "look": it carries nothing and may be
dropped where the receiver has some waiting. The end of a connection says "look" too, and the kernel says it even for a
process killed between a commit and its message, so nobody has to poll in order to notice commits soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from homeostat.kit import chance

_LOOK = b"c"
_SUFFIX = ".sock"
# sun_path holds 108 bytes on Linux, the last a zero.
_ADDRESS_BYTES_MAX = 100
# More processes than this on one file are not served with messages; they still poll.
_PEERS_MAX = 64
_KIND = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK


class Peers:
    """This process's end. `look` is called on the loop when another has, or may have, committed.

    `notify` may be called from one other thread; everything else belongs to the loop's. Raises OSError when made where
    sockets cannot be.
    """

    def __init__(self, folder: Path, look: Callable[[], None]) -> None:
        self._folder = folder
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._name = f"{os.getpid()}-{chance.token_hex(4)}{_SUFFIX}"
        self._folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, _KIND)
        # Guards the set and the closing of its sockets against the notifying thread.
        self._mutex = threading.Lock()
        self._others: set[socket.socket] = set()
        try:
            self._listener.bind(self._address(self._name))
            self._listener.listen(_PEERS_MAX)
            # Bound before looking round: of two that start at once, at least one sees the other.
            self._connect_all()
        except OSError:
            self.close()
            raise
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def notify(self) -> None:
        """Notify every peer of new commits. Never blocks."""
        with self._mutex:
            for other in self._others:
                # Full: it is about to look anyway. Gone: its end is noticed on the loop.
                with contextlib.suppress(OSError):
                    other.send(_LOOK)

    def close(self) -> None:
        """Leave; the others notice."""
        self._loop.remove_reader(self._listener.fileno())
        with contextlib.suppress(OSError):
            os.unlink(self._address(self._name))
        self._listener.close()
        for other in list(self._others):
            self._forget(other)
        os.close(self._folder_descriptor)

    def _address(self, name: str) -> str:
        path = str(self._folder / name)
        if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
            return path
        return f"/proc/self/fd/{self._folder_descriptor}/{name}"

    def _connect_all(self) -> None:
        for name in sorted(os.listdir(self._folder_descriptor)):
            if not name.endswith(_SUFFIX) or name == self._name:
                continue
            other = socket.socket(socket.AF_UNIX, _KIND)
            try:
                other.connect(self._address(name))
            except (ConnectionRefusedError, FileNotFoundError):
                # Nobody listens any more: its process was killed.
                other.close()
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._address(name))
            except OSError:
                # A peer that does not accept (stopped, or at its bound); each is left with the other's poll.
                other.close()
            else:
                self._remember(other)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                other, _ = self._listener.accept()
                other.settimeout(0)
                if len(self._others) < _PEERS_MAX:
                    self._remember(other)
                    # For what was committed between its looking at the file and our knowing of it.
                    other.send(_LOOK)
                else:
                    other.close()

    def _remember(self, other: socket.socket) -> None:
        with self._mutex:
            self._others.add(other)
        self._loop.add_reader(other.fileno(), self._read, other)

    def _forget(self, other: socket.socket) -> None:
        self._loop.remove_reader(other.fileno())
        with self._mutex:
            self._others.discard(other)
            other.close()

    def _read(self, other: socket.socket) -> None:
        try:
            while other.recv(1):
                pass
            self._forget(other)
        except BlockingIOError:
            pass
        except OSError:
            self._forget(other)
        self._look()
