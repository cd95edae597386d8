"""Input and output of a container: pipes or a terminal, and the visitors that are attached to them.

A visitor sees what the container writes while it is there. One who does not keep up holds the container up, as with
other engines; nothing here ever waits. Used by the shim: the standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from typing import NamedTuple

from homeostat.runtime.children.descriptors import Descriptors

_CHUNK_BYTES = 65536


class Ends(NamedTuple):
    """The descriptors of a container. Of its own side: input (-1: none), output, errors. Of ours: what it writes, with
    the name of the stream; the target of its input (-1: none); its terminal (-1: none)."""

    given: int
    out: int
    err: int
    streams: dict[int, str]
    feed: int
    terminal: int

    @property
    def theirs(self) -> tuple[int, ...]:
        """The container's own, to be closed once it has them."""
        return tuple(end for end in (self.given, self.out, self.err) if end >= 0)


def open_ends(*, stdin: bool, terminal: bool) -> Ends:
    """New ends for a container that takes input, or has a terminal, or neither. Raises OSError."""
    if terminal:
        master, slave = os.openpty()
        feed = os.dup(master) if stdin else -1
        return Ends(slave, os.dup(slave), os.dup(slave), {master: "stdout"}, feed, os.dup(master))
    out_read, out = os.pipe2(os.O_CLOEXEC)
    err_read, err = os.pipe2(os.O_CLOEXEC)
    given, feed = os.pipe2(os.O_CLOEXEC) if stdin else (-1, -1)
    return Ends(given, out, err, {out_read: "stdout", err_read: "stderr"}, feed, -1)


def read(descriptor: int) -> bytes:
    """What is there now; empty at the end, which a terminal has when its last program lets go. Raises
    BlockingIOError."""
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


class Sink:
    """A descriptor that is written to, and owned, without ever waiting: what does not fit yet is kept. `drained` is
    called when all of that is written, or there is no reader any more."""

    def __init__(self, descriptor: int, descriptors: Descriptors, drained: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._descriptors = descriptors
        self._drained = drained
        self._rest = b""
        self._ending = False

    @property
    def full(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._rest)

    @property
    def closed(self) -> bool:
        """Whether it takes nothing any more."""
        return self._descriptor < 0

    def write(self, data: bytes) -> None:
        """Send; dropped when there is no reader."""
        if self.closed or self._ending:
            return
        if self._rest:
            self._rest += data
            return
        self._rest = self._tried(data)
        if self._rest:
            self._descriptors.watch(self._descriptor, self._go_on, writable=True)

    def _go_on(self) -> None:
        self._rest = self._tried(self._rest)
        if not self._rest:
            self._descriptors.forget(self._descriptor)
            if self._ending:
                self._close()
            self._drained()

    def _tried(self, data: bytes) -> bytes:
        """What is left of it."""
        try:
            return data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            return data
        except OSError:
            self._ending = True  # nobody reads
            return b""

    def end(self) -> None:
        """Close it when all has been taken."""
        self._ending = True
        if not self._rest:
            self._close()

    def drop(self) -> None:
        """Close it now."""
        if self._rest:
            self._rest = b""
            self._descriptors.forget(self._descriptor)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Visitor:
    """One who is attached: its connection says when it leaves, and the size of its terminal; `typed` is where its input
    comes from (-1: none)."""

    def __init__(self, stdio: Stdio, connection: socket.socket, typed: int, sinks: dict[str, Sink]) -> None:
        self.sinks = sinks
        self._stdio = stdio
        self._connection = connection
        self._typed = typed
        self._listening = False
        self._sizes = b""
        connection.settimeout(0)
        stdio.descriptors.watch(connection.fileno(), self._read_sizes)
        if typed >= 0:
            os.set_blocking(typed, False)
            self.listen()

    def listen(self) -> None:
        """Take input from now on."""
        if self._typed >= 0 and not self._listening:
            self._listening = True
            self._stdio.descriptors.watch(self._typed, self._take)

    def pause(self) -> None:
        """Take none for now."""
        if self._listening:
            self._listening = False
            self._stdio.descriptors.forget(self._typed)

    def _take(self) -> None:
        try:
            data = os.read(self._typed, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._stdio.type(data)
        else:
            self._end_input()

    def _end_input(self) -> None:
        if self._typed >= 0:
            self.pause()
            os.close(self._typed)
            self._typed = -1
            self._stdio.input_ended()

    def _read_sizes(self) -> None:
        try:
            data = self._connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.leave()
            return
        *lines, self._sizes = (self._sizes + data).split(b"\n")
        for line in lines:
            rows, _, columns = line.partition(b" ")
            if rows.isdigit() and columns.isdigit():
                self._stdio.resize(int(rows), int(columns))

    def leave(self) -> None:
        """It has gone."""
        if self._connection.fileno() >= 0:
            self._end_input()
            for sink in self.sinks.values():
                sink.drop()
            self.close()
            self._stdio.left(self)

    def farewell(self) -> None:
        """The container has ended: what it wrote still arrives, and then the end."""
        if self._typed >= 0:
            self.pause()
            os.close(self._typed)
            self._typed = -1
        for sink in self.sinks.values():
            sink.end()
        self.close_if_done()

    def close_if_done(self) -> None:
        """Hang up when everything has been taken."""
        if all(sink.closed for sink in self.sinks.values()):
            self.close()

    def close(self) -> None:
        """Hang up."""
        if self._connection.fileno() >= 0:
            self._stdio.descriptors.forget(self._connection.fileno())
            self._connection.close()


class Stdio:
    """The streams of one container. `wrote` gets all it writes, by stream; with `once` its input ends with the first
    visitor's."""

    def __init__(
        self, ends: Ends, descriptors: Descriptors, wrote: Callable[[str, bytes], None], *, once: bool
    ) -> None:
        self.descriptors = descriptors
        self._wrote = wrote
        self._once = once
        self._streams = dict(ends.streams)
        self._terminal = ends.terminal
        self._input = Sink(ends.feed, descriptors, self._input_drained) if ends.feed >= 0 else None
        self._visitors: list[Visitor] = []
        self._ended = False
        self._reading = False
        for descriptor in self._streams:
            os.set_blocking(descriptor, False)
        self._read_on()

    # -- out -------------------------------------------------------------------------------------------------------

    def _read_on(self) -> None:
        if not self._reading and not self._ended:
            self._reading = True
            for descriptor in self._streams:
                self._watch(descriptor)

    def _watch(self, descriptor: int) -> None:
        self.descriptors.watch(descriptor, lambda: self._pump(descriptor))

    def _hold(self) -> None:
        """Some visitor does not keep up."""
        if self._reading:
            self._reading = False
            for descriptor in self._streams:
                self.descriptors.forget(descriptor)

    def _pump(self, descriptor: int) -> bool:
        """Pass on what one stream holds; False when it holds nothing now."""
        try:
            data = read(descriptor)
        except BlockingIOError:
            return False
        if not data:
            if self._reading:
                self.descriptors.forget(descriptor)
            del self._streams[descriptor]
            os.close(descriptor)
            return False
        stream = self._streams[descriptor]
        self._wrote(stream, data)
        for visitor in self._visitors:
            if stream in visitor.sinks:
                visitor.sinks[stream].write(data)
        if self._crowded:
            self._hold()
        return True

    @property
    def lingers(self) -> bool:
        """Whether output from before the container's end is still to be read."""
        return self._crowded

    @property
    def _crowded(self) -> bool:
        return any(sink.full for visitor in self._visitors for sink in visitor.sinks.values())

    def _output_drained(self) -> None:
        if self._ended:
            for visitor in self._visitors:
                visitor.close_if_done()
        elif not self._crowded:
            self._read_on()

    # -- in --------------------------------------------------------------------------------------------------------

    def type(self, data: bytes) -> None:
        """Give the container input."""
        if self._input is not None:
            self._input.write(data)
            if self._input.full:
                for visitor in self._visitors:
                    visitor.pause()

    def _input_drained(self) -> None:
        for visitor in self._visitors:
            visitor.listen()

    def input_ended(self) -> None:
        """A visitor's input has ended; a terminal's stays open."""
        if self._once and self._input is not None and self._terminal < 0:
            self._input.end()

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal its size; its programs get SIGWINCH."""
        if self._terminal >= 0:
            size = struct.pack("HHHH", min(rows, 0xFFFF), min(columns, 0xFFFF), 0, 0)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    # -- visitors --------------------------------------------------------------------------------------------------

    def admit(self, connection: socket.socket, ends: list[int], *, types: bool) -> None:
        """Attach a visitor: `ends` are where its input comes from (if it `types`) and where output and errors go. All
        are taken over."""
        typed, out, err = ends
        if not types or self._input is None:
            os.close(typed)
            typed = -1
        sinks = {
            "stdout": Sink(out, self.descriptors, self._output_drained),
            "stderr": Sink(err, self.descriptors, self._output_drained),
        }
        self._visitors.append(Visitor(self, connection, typed, sinks))

    def left(self, visitor: Visitor) -> None:
        """A visitor has gone."""
        self._visitors.remove(visitor)
        self._output_drained()

    def end(self, *, chunks_max: int) -> None:
        """The container has ended: pass on what its streams still hold, at most so many chunks of each; close them."""
        for descriptor in list(self._streams):
            for _ in range(chunks_max):
                if not self._pump(descriptor):
                    break
        self._hold()
        self._ended = True
        for descriptor in self._streams:
            os.close(descriptor)
        if self._input is not None:
            self._input.drop()
        if self._terminal >= 0:
            os.close(self._terminal)
        for visitor in list(self._visitors):
            visitor.farewell()
