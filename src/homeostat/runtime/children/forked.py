"""Becoming a container's command in a forked child: what the child must reset before it executes the command."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import sys
import termios
from collections.abc import Callable, Collection
from typing import Any, NoReturn, TypeAlias

from homeostat.runtime.children import rootview

START_ERROR_CODE = 128
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)

Builtin: TypeAlias = Callable[[list[str]], int]


def adopt_orphans() -> None:
    """From now on this process is the parent of its descendants whose own parents ended. A program executed in its
    place inherits that, a forked child does not."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: int) -> None:
    """Have the kernel send signal `number` to this process when its parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def fork(work: Callable[[], int], *, keep: Collection[int]) -> int:
    """Fork a child, a session of its own, that runs `work` and dies with this process; returns its process ID.

    It keeps the standard streams and the descriptors `keep`, and no other.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _forget(keep)
        code = work()
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


def _forget(keep: Collection[int]) -> None:
    signal.set_wakeup_fd(-1)
    # SIGPIPE stays ignored, as in every Python: a builtin may serve sockets, whose clients leave (`execute` resets it).
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor not in keep:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that listed them


def become(
    spec: dict[str, Any],
    argv: list[str],
    out: int,
    err: int,
    *,
    given: int = -1,
    terminal: bool = False,
    said: int = -1,
    inside: int = 0,
    builtin: Builtin | None = None,
) -> int:
    """Run a command of the container in place of this process; a `builtin` in this process: then its exit code.

    Its standard input is `given`, empty without one; with `terminal` that is a terminal, and becomes the command's own.
    Why it cannot start is written to `said`, without one to standard error. With `inside` the command joins the
    container whose own command is that process; else it is that command, and adopts the orphans among its descendants
    as the first process of a container does.
    """
    if not inside:
        adopt_orphans()
    environment = dict(spec["env"])
    null = os.open(os.devnull, os.O_RDONLY) if given < 0 else given
    for descriptor, number in ((null, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, number)
        os.set_inheritable(number, True)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    try:
        _take_view(spec, inside)
        os.chdir(spec["cwd"])
        if builtin is None:
            execute(argv, environment)
    except OSError as error:
        os.write(said if said >= 0 else 2, start_failure(argv[0], spec["cwd"], error).encode())
        return START_ERROR_CODE
    for descriptor in (null, out, err, said):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    _libc.prctl(_PR_SET_NAME, argv[0].encode()[:15], 0, 0, 0)
    # The parent's streams may lead elsewhere, and hold what it has not written yet.
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    return builtin(argv)


def _take_view(spec: dict[str, Any], inside: int) -> None:
    """See the container's mounts at their paths; `inside`: as the container of that process does already."""
    view = spec.get("view")
    if view is None:
        return
    if inside:
        rootview.join(inside)
    else:
        rootview.enter(view["stage"], view["mounts"], [spec["cwd"]])
    # A change of credentials may have taken it away.
    die_with_parent(signal.SIGKILL)


def execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Become a program, which gets the default action for SIGPIPE as from a shell. Raises OSError."""
    path = find_program(argv[0], environment)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(path, argv, environment)


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
