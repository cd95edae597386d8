"""Forking a component from the warm parent: what must be imported before, and what the child must reset first."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from homeostat.kit import collector, kernel
from homeostat.lab.processes.process_title import set_title

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

Component = Callable[[list[str]], int]


@dataclass(frozen=True, slots=True)
class Rooms:
    """How components are started: `run` runs a command line in a forked child and returns its exit code, `preload`
    imports all that a component of `names` needs."""

    names: Collection[str]
    preload: Callable[[str], object]
    run: Component
    _loaded: set[str] = field(default_factory=set)

    def load(self, component: str) -> None:
        """Import a component's rooms before the first fork that needs them, and keep the collector off them."""
        if component not in self._loaded and component in self.names:
            self.preload(component)
            collector.settle()
            self._loaded.add(component)


def fork_component(argv: list[str], run: Component, *, death_signal: int, close: Iterable[int]) -> int:
    """Fork a child that runs `run(argv)` and gets `death_signal` when this process dies; returns its process ID.

    `close` are this process's own descriptors, which the child must not keep.
    """
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
        set_title(argv)
        code = run(argv)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into the parent's loop, whatever went wrong
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def fork_apart(name: str, work: Callable[[], object], *, close: Iterable[int]) -> None:
    """Fork a process that is no child of this one, which ends all of its own, and that runs `work` and ends.

    It stays in the namespaces that this process has now. `name` is what the kernel calls it; `close` are descriptors
    that it must not keep.
    """
    descriptors = list(close)
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    if os.fork():
        os._exit(0)
    try:
        _forget(descriptors)
        os.setsid()
        kernel.set_name(name)
        work()
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _forget(descriptors: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass
