"""Streams of a container of the process runtime, by its shim (`runtime.shim.container_process`): a command begun in it,
with pipes or a terminal, or the container's own."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from homeostat.runtime.contract import RuntimeFault, StreamOptions
from homeostat.runtime.process import shim_client
from homeostat.runtime.streaming.commands import Command
from homeostat.runtime.streaming.pipes import Descriptor

_KILLED = 137


@dataclass(frozen=True, slots=True)
class _TerminalInput:
    """What is typed into a terminal; it ends with the terminal alone."""

    terminal: Descriptor

    async def write(self, data: bytes) -> None:
        """As `Descriptor.write`."""
        await self.terminal.write(data)

    def close(self) -> None:
        """Nothing: who reads from a terminal waits for more."""


async def begin(folder: Path, argv: tuple[str, ...], options: StreamOptions) -> Command:
    """Begin `argv` in the container of `folder`. It is killed when the Command is closed before its end.

    Raises RuntimeFault when the container's shim is gone, or the command cannot start.
    """
    connection = await shim_client.connect(folder)
    theirs: list[int] = []
    ours: list[Descriptor] = []
    try:
        stdin, stdout, stderr = _terminal(theirs, ours, options) if options.tty else _pipes(theirs, ours, options)
        failure_read, failure_write = os.pipe()
        theirs.append(failure_write)
        ours.append(Descriptor(failure_read))
        order = orjson.dumps({"argv": argv, "terminal": options.tty})
        socket.send_fds(connection, [order], theirs)
    except OSError as error:
        _close_all(connection, ours)
        raise RuntimeFault("Failed", f"no command can be started: {error}") from error
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    failure = await ours[-1].read()
    if failure:
        _close_all(connection, ours)
        raise RuntimeFault("Failed", failure.decode("utf-8", "replace"))
    resize = ours[0].resize if options.tty else _no_size
    return Command(
        stdin, stdout, stderr, partial(_exit_code, connection), resize, partial(_close_all, connection, ours)
    )


async def attach(folder: Path, options: StreamOptions) -> Command:
    """Join the streams of the container of `folder`, from now on; it ends well, whatever the container's exit code.

    Raises RuntimeFault when the container's shim is gone.
    """
    connection = await shim_client.connect(folder)
    theirs: list[int] = []
    ours: list[Descriptor] = []
    try:
        stdin, stdout, stderr = _pipes(theirs, ours, options)
        socket.send_fds(connection, [orjson.dumps({"attach": {"stdin": options.stdin}})], theirs)
    except OSError as error:
        _close_all(connection, ours)
        raise RuntimeFault("Failed", f"cannot attach: {error}") from error
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    resize = partial(_send_size, connection)
    return Command(stdin, stdout, stderr, partial(_ended, connection), resize, partial(_close_all, connection, ours))


async def _ended(connection: socket.socket) -> int:
    """Wait for the shim to hang up, which it does when all output has been taken."""
    await shim_client.answer_of(connection, 0)
    return 0


def _send_size(connection: socket.socket, rows: int, columns: int) -> None:
    with contextlib.suppress(OSError):  # the container has ended, or sizes come faster than they are taken
        connection.send(b"%d %d\n" % (rows, columns))


def _terminal(
    theirs: list[int], ours: list[Descriptor], options: StreamOptions
) -> tuple[_TerminalInput | None, Descriptor, None]:
    master, slave = pty.openpty()
    theirs += (slave, os.dup(slave), os.dup(slave))
    ours.append(terminal := Descriptor(master))
    return (_TerminalInput(terminal) if options.stdin else None), terminal, None


def _pipes(
    theirs: list[int], ours: list[Descriptor], options: StreamOptions
) -> tuple[Descriptor | None, Descriptor, Descriptor]:
    (given, feed), (out_read, out), (err_read, err) = os.pipe(), os.pipe(), os.pipe()
    theirs += (given, out, err)
    ours += [Descriptor(feed), Descriptor(out_read), Descriptor(err_read)]
    if not options.stdin:
        ours[0].close()  # it reads an end at once
    return (ours[0] if options.stdin else None), ours[1], ours[2]


async def _exit_code(connection: socket.socket) -> int:
    code = await shim_client.answer_of(connection, 0)
    return _KILLED if code is None else code


def _close_all(connection: socket.socket, ours: list[Descriptor]) -> None:
    """Close our ends; a command that still runs is killed by the shim, which sees us hang up."""
    connection.close()
    for descriptor in ours:
        descriptor.close()


def _no_size(rows: int, columns: int) -> None:
    """Pipes have none."""
