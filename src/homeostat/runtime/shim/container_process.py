"""One container in a shim's charge: its start, its log, the commands run inside it, and its end. Its streams and who is
attached to them are `runtime.shim.container_streams`'s.

It works on the container's folder (`runtime.process.state_folders`). `alive` there is a pipe that the shim holds open:
a line in it says that `pid.json` or `exit.json` is written, its end that the container has ended or its shim was
killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from homeostat.kit import machine_clock, private
from homeostat.runtime.children import forked
from homeostat.runtime.children.descriptors import Descriptors
from homeostat.runtime.children.processes import exit_code_of, kill_group, start_ticks
from homeostat.runtime.logs.log_writer import CriLog
from homeostat.runtime.shim.container_streams import Stdio, open_ends

_CHUNK_BYTES = 65536
# A pipe holds at most so much (fs.pipe-max-size): more comes only from a process that could not be killed.
_DRAINED_CHUNKS_MAX = 16


def claim(folder: Path) -> int | None:
    """Lock the container against other shims; the lock's descriptor, or None when it runs or has run already."""
    lock = os.open(folder / "spec.json", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    if (folder / "exit.json").exists():
        os.close(lock)
        return None
    return lock


class Charge:
    """See the module. `guests` are processes that commands run inside have left behind; the shim keeps the set."""

    def __init__(self, folder: Path, lock: int, descriptors: Descriptors) -> None:
        self.folder = folder
        self.spec: dict[str, Any] = json.loads((folder / "spec.json").read_bytes())
        self.pid = 0
        self.guests: set[int] = set()
        # When its grace is over; 0 while it is not asked to end.
        self.kill_at = 0.0
        self._asked_to_stop = False
        # When its own process has ended: the wait status, and the wall clock.
        self.status: int | None = None
        self._ended_at = 0
        self._lock = lock
        self._descriptors = descriptors
        self._log = CriLog(
            self.spec["log_path"], bytes_max=self.spec["log_bytes_max"], files_max=self.spec["log_files_max"]
        )
        self._stdio: Stdio | None = None
        # Commands run inside, with the connection that waits for each (none: its caller hung up).
        self._execs: dict[int, socket.socket | None] = {}
        self._said = -1
        self._failure = b""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            # For writing and reading: it opens whether or not an agent reads just now.
            self._alive = os.open(folder / "alive", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            self._alive = -1  # no caller waits for it

    @property
    def pids(self) -> set[int]:
        """The shim's children that belong to it."""
        return {*self._execs, *self.guests, *([self.pid] if self.status is None else [])}

    @property
    def lingers(self) -> bool:
        """Whether a visitor has still to take what it wrote before it ended."""
        return self._stdio is not None and self._stdio.lingers

    # -- start -----------------------------------------------------------------------------------------------------

    def start(self, builtin: forked.Builtin | None) -> None:
        """Fork the command: a program, or `builtin` in the forked child."""
        self._listen()
        terminal = bool(self.spec.get("tty"))
        ends = open_ends(stdin=bool(self.spec.get("stdin")), terminal=terminal)
        self._said, said_write = os.pipe2(os.O_CLOEXEC)
        argv, keep = list(self.spec["argv"]), (*ends.theirs, said_write)
        self.pid = forked.fork(
            lambda: forked.become(
                self.spec,
                argv,
                ends.out,
                ends.err,
                given=ends.given,
                terminal=terminal,
                said=said_write,
                builtin=builtin,
            ),
            keep=keep,
        )
        for descriptor in keep:
            os.close(descriptor)
        self._stdio = Stdio(ends, self._descriptors, self._log.write, once=bool(self.spec.get("stdin_once")))
        os.set_blocking(self._said, False)
        self._descriptors.watch(self._said, self._read_failure)

    def _listen(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Through the descriptor, for a socket's path may have 107 bytes only.
            self._listener.bind(f"/proc/self/fd/{folder}/exec.sock")
        finally:
            os.close(folder)
        self._listener.listen(16)
        self._listener.settimeout(0)
        self._descriptors.watch(self._listener.fileno(), self._accept)

    def _read_failure(self) -> None:
        """The child says why it cannot start, and closes the pipe; or only closes it: then the command runs."""
        try:
            part = os.read(self._said, _CHUNK_BYTES)
        except BlockingIOError:
            return
        self._failure += part
        if part:
            return
        self._descriptors.forget(self._said)
        os.close(self._said)
        self._said = -1
        if not self._failure:
            self._started()

    def _started(self) -> None:
        shim = os.getpid()
        pids = {"shim": shim, "shim_ticks": start_ticks(shim), "pid": self.pid, "ticks": start_ticks(self.pid)}
        try:
            write_json(self.folder / "pid.json", {**pids, "started_at": machine_clock.wall_nanoseconds() / 1e9})
        except OSError as error:
            self._failure = f"unable to write the container's state: {error.strerror}".encode()
            self.end(now=True)
        else:
            self._notify()

    def _notify(self) -> None:
        if self._alive >= 0:
            os.write(self._alive, b"\n")

    # -- life ------------------------------------------------------------------------------------------------------

    def end(self, *, now: bool) -> None:
        """Have it end: with its stop signal and a moment's grace, or `now` by force."""
        if self.status is not None:
            return
        if now:
            kill_group(self.pid, signal.SIGKILL)
        elif not self._asked_to_stop:
            self._asked_to_stop = True
            kill_group(self.pid, getattr(signal, self.spec["stop_signal"], signal.SIGTERM))
            self.kill_at = machine_clock.monotonic() + self.spec["orphan_grace_seconds"]

    def tend(self, now: float) -> None:
        """Kill it when its grace is over."""
        if self.kill_at and self.kill_at <= now:
            self.kill_at = 0.0
            self.end(now=True)

    def reaped(self, pid: int, status: int) -> None:
        """One of `pids` has ended."""
        self.guests.discard(pid)
        if pid == self.pid:
            while self._said >= 0:
                self._read_failure()
            self.status, self._ended_at = status, machine_clock.wall_nanoseconds()
            self.kill_at = 0.0
            for other in (*self._execs, *self.guests):
                # It is there until this process reaps it.
                os.kill(other, signal.SIGKILL)
        elif pid in self._execs:
            self._exec_ended(pid, status)

    def finish(self) -> None:
        """Its processes are gone: log the rest, write how it ended, close everything."""
        if self._stdio is not None:
            self._stdio.end(chunks_max=_DRAINED_CHUNKS_MAX)
        self._log.close()
        self._descriptors.forget(self._listener.fileno())
        self._listener.close()
        code = forked.START_ERROR_CODE if self._failure else exit_code_of(self.status or 0)
        end = {"code": code, "reason": "StartError" if self._failure else "", "message": self._failure.decode()}
        try:
            write_json(self.folder / "exit.json", {**end, "finished_at": self._ended_at / 1e9})
            self._notify()
        except OSError:
            pass  # a full disk: the agent notices the end, and finds no report
        for descriptor in (self._alive, self._lock):
            if descriptor >= 0:
                os.close(descriptor)

    # -- exec ------------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        """A command to run inside: a JSON object with its words, and descriptors: one that takes its output, or four
        for its input, its output, its errors, and why it cannot start; `terminal`: the first three are a terminal's.

        Or a visitor to attach, with three: its input (which counts if it `stdin`), where output goes, and errors."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection.settimeout(1.0)
        ends: list[int] = []
        try:
            if self.status is not None:
                raise ValueError("the container has ended")
            data, ends, _, _ = socket.recv_fds(connection, _CHUNK_BYTES, 4)
            order = json.loads(data)
            if "attach" in order:
                self._attach(connection, order, ends)
                ends = []
                return
            pid = self._exec(order, ends)
        except (OSError, ValueError, KeyError, IndexError):
            connection.close()  # or no process is to be had: who asked sees the command fail
            return
        finally:
            for end in ends:
                os.close(end)
        self._execs[pid] = connection
        self._descriptors.watch(connection.fileno(), lambda: self._caller_left(pid))

    def _attach(self, connection: socket.socket, order: dict[str, Any], ends: list[int]) -> None:
        if self._stdio is None or len(ends) != 3:
            raise ValueError("nothing to attach to")
        for end in ends:
            os.set_inheritable(end, False)
        self._stdio.admit(connection, ends, types=bool(order["attach"].get("stdin")))

    def _exec(self, wanted: dict[str, Any], ends: list[int]) -> int:
        """Fork a command; its process ID."""
        for end in ends:
            os.set_inheritable(end, False)
        given, out, err, said = ends if len(ends) == 4 else (-1, ends[0], ends[0], -1)
        argv, terminal = wanted["argv"], bool(wanted.get("terminal"))
        inside = self.pid
        return forked.fork(
            lambda: forked.become(self.spec, argv, out, err, given=given, terminal=terminal, said=said, inside=inside),
            keep=ends,
        )

    def _exec_ended(self, pid: int, status: int) -> None:
        connection = self._execs.pop(pid)
        if connection is None:
            return
        try:
            connection.sendall(json.dumps({"code": exit_code_of(status)}).encode())
        except OSError:
            pass  # who asked has left
        self._descriptors.forget(connection.fileno())
        connection.close()

    def _caller_left(self, pid: int) -> None:
        """Who asked for a command hung up before its end (a timeout): kill the command."""
        connection = self._execs[pid]
        if connection is not None:
            self._descriptors.forget(connection.fileno())
            connection.close()
            self._execs[pid] = None
        kill_group(pid, signal.SIGKILL)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a state file in one move: a reader sees all of it or nothing."""
    private.write(path, json.dumps(value).encode())
