"""Tells the other processes on one file of a commit at once: a Unix datagram socket per process in a shared folder.

A datagram only says "look"; it carries nothing, may be lost, and is never needed for correctness (the follower polls
as well). Senders know their peers from the folder, and read it again when a newcomer says hello.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

from homeostat.kit import chance

_LOOK = b"c"
_HELLO = b"h"
_SUFFIX = ".sock"
# sun_path holds 108 bytes on Linux, the last a zero.
_ADDRESS_BYTES_MAX = 100


class Peers:
    """This process's socket, and the way to the others'. `notify` may be called from any one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{chance.token_hex(4)}{_SUFFIX}"
        self._folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.setblocking(False)
            self._socket.bind(self._address(self._name))
        except OSError:
            self.close()
            raise
        # The loop and the notifying thread both change it.
        self._mutex = threading.Lock()
        self._others: tuple[str, ...] = ()
        self._rescan()
        self._send(_HELLO)

    def _address(self, name: str) -> str:
        path = str(self._folder / name)
        if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
            return path
        return f"/proc/self/fd/{self._folder_descriptor}/{name}"

    def fileno(self) -> int:
        """Readable when a peer has something to say."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Take in what the peers have said, from the loop."""
        words = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                words.add(self._socket.recv(1))
        if _HELLO in words:
            self._rescan()

    def notify(self) -> None:
        """Tell every peer that there are new commits."""
        if self._others:
            self._send(_LOOK)

    def _rescan(self) -> None:
        with self._mutex:
            names = [name for name in os.listdir(self._folder_descriptor) if name.endswith(_SUFFIX)]
            self._others = tuple(self._address(name) for name in sorted(names) if name != self._name)

    def _send(self, word: bytes) -> None:
        gone = []
        for other in self._others:
            try:
                self._socket.sendto(word, other)
            except BlockingIOError:
                # Its queue is full, so it is about to look anyway.
                continue
            except (ConnectionRefusedError, FileNotFoundError):
                # Nobody holds the socket any more: its process was killed.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(other)
                gone.append(other)
            except OSError:
                # The closing of our own socket, or a system short of buffers: the peers' poll covers it.
                continue
        if gone:
            with self._mutex:
                self._others = tuple(other for other in self._others if other not in gone)

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            os.unlink(self._address(self._name))
        self._socket.close()
        os.close(self._folder_descriptor)
