"""The process beside each container: starts it, logs it, waits for it, and leaves nothing of it behind.

As containerd has a shim per container: an agent may die and come back while containers run on. A shim works on one
container folder: it reads `spec.json`, writes `pid.json` when the command runs and `exit.json` when it has ended, and
serves `exec.sock` (commands run inside). It is a subreaper: whatever the container forked, even into other sessions,
ends with the container. It imports only a few parts of the standard library, so that it starts in milliseconds; it is
forked from a warm parent (`run`) or run as a program (`python -m homeostat.runtime.shim FOLDER`).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeAlias

from homeostat.kit import machine
from homeostat.runtime import rootview
from homeostat.runtime.crilog import CriLog
from homeostat.runtime.processes import end_all_children, exit_code_of, kill_group, start_ticks

START_ERROR_CODE = 128
ALREADY_RUN = 3
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK_BYTES = 65536
_libc = ctypes.CDLL(None, use_errno=True)


Builtin: TypeAlias = Callable[[list[str]], int]


def run(container_dir: Path, builtin: Builtin | None = None, *, names: Collection[str] = ()) -> int:
    """Run the container of `container_dir` to its end. A command whose first word is one of `names` is not executed as
    a program: `builtin` runs it in the forked child. Returns 0, or ALREADY_RUN when another shim has this container."""
    if builtin is not None and not names:
        raise ValueError("a builtin needs the names of its commands")
    lock = os.open(container_dir / "spec.json", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return ALREADY_RUN
    if (container_dir / "exit.json").exists():
        return ALREADY_RUN
    spec = json.loads((container_dir / "spec.json").read_bytes())
    if os.getsid(0) != os.getpid():
        os.setsid()
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if spec.get("die_with_parent"):
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() == 1:
            return 0
    _Shim(container_dir, spec, builtin if spec["argv"][0] in names else None).run()
    return 0


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a state file in one move: a reader sees all of it or nothing."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(json.dumps(value).encode())
    os.replace(temporary, path)


class _Shim:
    def __init__(self, folder: Path, spec: dict[str, Any], builtin: Builtin | None) -> None:
        self._folder = folder
        self._spec = spec
        self._builtin = builtin
        self._log = CriLog(spec["log_path"], bytes_max=spec["log_bytes_max"], files_max=spec["log_files_max"])
        self._streams: dict[int, str] = {}
        self._execs: dict[int, socket.socket] = {}
        self._pid = 0
        self._kill_at = 0.0
        self._wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_write = wake_write
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._poll = select.poll()

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        failure = self._start()
        if failure:
            self._finish(START_ERROR_CODE, "StartError", failure)
        else:
            self._serve()
        self._tell_started()

    # -- start -----------------------------------------------------------------------------------------------------

    def _start(self) -> str:
        self._listen()
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        said_read, said_write = os.pipe2(os.O_CLOEXEC)
        self._pid = self._fork(
            list(self._spec["argv"]), out_write, err_write, said=said_write, close=[out_read, err_read, said_read]
        )
        for descriptor in (out_write, err_write, said_write):
            os.close(descriptor)
        self._streams = {out_read: "stdout", err_read: "stderr"}
        for descriptor in self._streams:
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.POLLIN)
        with open(said_read, "rb") as said:
            failure = said.read().decode()
        if failure:
            return failure
        pids = {"shim": os.getpid(), "shim_ticks": start_ticks(os.getpid())}
        pids |= {"pid": self._pid, "ticks": start_ticks(self._pid)}
        write_json(self._folder / "pid.json", {**pids, "started_at": machine.wall_nanoseconds() / 1e9})
        self._tell_started()
        return ""

    def _listen(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Through the descriptor, for a socket's path may have 107 bytes only.
            self._listener.bind(f"/proc/self/fd/{folder}/exec.sock")
        finally:
            os.close(folder)
        self._listener.listen(16)
        self._listener.setblocking(False)

    def _tell_started(self) -> None:
        try:
            descriptor = os.open(self._folder / "started", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return  # nobody waits any more: the agent reads the state files when it is back
        os.write(descriptor, b"\n")
        os.close(descriptor)

    def _fork(self, argv: list[str], out: int, err: int, *, said: int = -1, close: list[int]) -> int:
        shim = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.setsid()
            _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != shim:
                os._exit(1)
            self._forget(close)
            code = self._become(argv, out, err, said)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
            sys.excepthook(*sys.exc_info())
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)

    def _forget(self, close: list[int]) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        self._listener.close()
        for descriptor in (*close, *self._streams, self._wake, self._wake_write):
            os.close(descriptor)
        for connection in self._execs.values():
            connection.close()

    def _become(self, argv: list[str], out: int, err: int, said: int) -> int:
        environment = dict(self._spec["env"])
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, number in ((null, 0), (out, 1), (err, 2)):
            os.dup2(descriptor, number)
            os.set_inheritable(number, True)
        try:
            self._take_view(inside=said < 0)
            os.chdir(self._spec["cwd"])
            if self._builtin is None or said < 0:
                os.execve(find_program(argv[0], environment), argv, environment)
        except OSError as error:
            os.write(said if said >= 0 else 2, start_failure(argv[0], self._spec["cwd"], error).encode())
            return START_ERROR_CODE
        os.close(said)
        os.environ.clear()
        os.environ.update(environment)
        _libc.prctl(_PR_SET_NAME, argv[0].encode()[:15], 0, 0, 0)
        # The parent's streams may lead elsewhere, and hold what it has not written yet.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        return self._builtin(argv)

    def _take_view(self, *, inside: bool) -> None:
        """See the container's mounts at their paths; `inside`: as the container that runs already."""
        view = self._spec.get("view")
        if view is None:
            return
        if inside:
            rootview.join(self._pid)
        else:
            rootview.enter(view["stage"], view["mounts"], [self._spec["cwd"]])
        # A change of credentials may have taken it away.
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    # -- life ------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(self._listener, select.POLLIN)
        while not self._reap():
            wait = max(0, int((self._kill_at - machine.monotonic()) * 1000) + 1) if self._kill_at else None
            for descriptor, _ in self._poll.poll(wait):
                self._on_ready(descriptor)
            if self._kill_at and self._kill_at <= machine.monotonic():
                kill_group(self._pid, signal.SIGKILL)
                self._kill_at = 0.0

    def _on_ready(self, descriptor: int) -> None:
        if descriptor == self._wake:
            os.read(self._wake, 4096)
        elif descriptor == self._listener.fileno():
            self._accept()
        elif descriptor in self._streams:
            self._pump(descriptor)
        else:
            self._caller_left(descriptor)

    def _pump(self, descriptor: int) -> bool:
        """Log what one pipe holds; False when it holds nothing now."""
        try:
            data = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._poll.unregister(descriptor)
            del self._streams[descriptor]
            os.close(descriptor)
            return False
        self._log.write(self._streams[descriptor], data)
        return True

    def _reap(self) -> bool:
        """Collect ended children; True when the container itself has ended (and everything of it)."""
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return False
            if pid == self._pid:
                ended_at = machine.wall_nanoseconds()
                end_all_children()
                self._finish(exit_code_of(status), "", "", ended_at)
                return True
            self._exec_ended(pid, status)

    def _end(self) -> None:
        """The parent died or the node goes down: end the container, in a moment by force."""
        if self._pid:
            kill_group(self._pid, getattr(signal, self._spec["stop_signal"], signal.SIGTERM))
            self._kill_at = machine.monotonic() + self._spec["orphan_grace_seconds"]

    def _finish(self, code: int, reason: str, message: str, ended_at: int = 0) -> None:
        for descriptor in list(self._streams):
            while self._pump(descriptor):
                pass
        self._log.close()
        end = {"code": code, "reason": reason, "message": message}
        end_time = (ended_at or machine.wall_nanoseconds()) / 1e9
        write_json(self._folder / "exit.json", {**end, "finished_at": end_time})

    # -- exec ------------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        """A command to run inside: a JSON line with its words, and the descriptor that takes its output."""
        connection, _ = self._listener.accept()
        connection.settimeout(1.0)
        try:
            data, descriptors, _, _ = socket.recv_fds(connection, _CHUNK_BYTES, 1)
            argv = json.loads(data)["argv"]
        except (OSError, ValueError, KeyError):
            connection.close()
            return
        out = descriptors[0]
        pid = self._fork(argv, out, out, close=[])
        os.close(out)
        self._execs[pid] = connection
        self._poll.register(connection, select.POLLIN)

    def _exec_ended(self, pid: int, status: int) -> None:
        connection = self._execs.pop(pid, None)
        if connection is None:
            return  # an orphan that this subreaper adopted, or a command whose caller left
        self._poll.unregister(connection)
        try:
            connection.sendall(json.dumps({"code": exit_code_of(status)}).encode())
        except OSError:
            pass  # who asked has left
        connection.close()

    def _caller_left(self, descriptor: int) -> None:
        """Who asked for a command hung up before its end (a timeout): kill the command."""
        for pid, connection in self._execs.items():
            if connection.fileno() == descriptor:
                self._poll.unregister(connection)
                kill_group(pid, signal.SIGKILL)
                connection.close()
                del self._execs[pid]
                return


def find_program(word: str, environment: dict[str, str]) -> str:
    """The path of a program, by the container's own PATH. Raises OSError."""
    if "/" in word:
        return word
    for folder in environment.get("PATH", os.defpath).split(":"):
        path = os.path.join(folder, word)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(errno.ENOENT, "executable file not found in $PATH")


def start_failure(word: str, cwd: str, error: OSError) -> str:
    """Why a command could not start, in the words of runc."""
    if isinstance(error, rootview.ViewError):
        return f"unable to start container process: {error.strerror}"
    if not os.path.isdir(cwd):
        return f'unable to start container process: chdir to cwd ("{cwd}") failed: no such file or directory'
    if "/" not in word and error.errno == errno.ENOENT:
        why = "executable file not found in $PATH"
    elif error.errno == errno.ENOENT and not os.path.exists(word):
        why = f"stat {word}: no such file or directory"
    else:
        why = os.strerror(error.errno or errno.EIO).lower()
    return f'unable to start container process: exec: "{word}": {why}'


if __name__ == "__main__":
    # Without the interpreter's own clean-up: the agent waits for this process to end.
    os._exit(run(Path(sys.argv[1])))
