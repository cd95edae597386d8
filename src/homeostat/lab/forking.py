"""Forking a component or a container's shim from the warm parent: what the child must forget first."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from homeostat.runtime import shim

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)

Component = Callable[[list[str]], int]


def fork_component(argv: list[str], run: Component, *, close: Iterable[int]) -> int:
    """Fork a child that runs `run(argv)` and dies with this process; returns its process ID.

    `close` are this process's own descriptors, which the child must not keep.
    """
    return _fork(lambda: run(argv), title=argv[0], death_signal=signal.SIGKILL, close=close)


def fork_shim(folder: Path, run: Component, *, names: Collection[str], close: Iterable[int]) -> int:
    """Fork the shim of the container in `folder`; it ends its container when this process dies.

    A command whose first word is in `names` runs as `run(argv)` in a fork of the shim, without a new interpreter.
    """
    return _fork(lambda: shim.run(folder, run, names=names), title="shim", death_signal=signal.SIGTERM, close=close)


def _fork(work: Callable[[], int], *, title: str, death_signal: int, close: Iterable[int]) -> int:
    parent = os.getpid()
    descriptors = list(close)
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)
        _forget(descriptors)
        set_title(title)
        code = work()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into the parent's loop, whatever went wrong
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _forget(descriptors: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass


def set_title(title: str) -> None:
    """The name that `ps -o comm` and `top` show, at most 15 characters."""
    _libc.prctl(_PR_SET_NAME, title.encode()[:15], 0, 0, 0)
