"""Real networks for tests: network namespaces without names, joined by veth pairs, reached by threads that enter them.

Nothing is left behind: a namespace lives as long as the file descriptor that a `Space` holds, and takes its links,
addresses, rules and connections with it. It needs root, or to run inside `unshare -Urn`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_SECONDS_MAX = 60.0


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Space:
    """One network namespace. `do` runs a function in it, `run` a program, `aio` a coroutine on a loop of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"netns-{name}", initializer=self._make)
        self.fd = self._pool.submit(lambda: os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", 0)).result()
        self.ip("link set lo up")

    @staticmethod
    def _make() -> None:
        _checked(_libc.unshare(_CLONE_NEWNET))

    def do(self, work: Callable[[], T]) -> T:
        """What `work` gives, in this namespace. It must not call `do` of the same Space."""
        return self._pool.submit(work).result(_SECONDS_MAX)

    def thread(self, work: Callable[[], object]) -> threading.Thread:
        """A thread of its own in this namespace, started; for what runs beside other work."""

        def enter() -> None:
            _checked(_libc.setns(self.fd, _CLONE_NEWNET))
            work()

        thread = threading.Thread(target=enter, name=f"in-{self.name}", daemon=True)
        thread.start()
        return thread

    def aio(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine gives; programs that it starts are in this namespace too."""
        return self.do(lambda: asyncio.run(work))

    def run(self, *argv: str, text: str = "") -> str:
        """What the program printed. Raises CalledProcessError, with what it complained about as its output."""
        return self.do(lambda: _program(argv, text))

    def ip(self, *commands: str) -> None:
        """`ip` commands, in one go."""
        self.run("ip", "-batch", "-", text="\n".join(commands) + "\n")

    def sysctl(self, **values: int) -> None:
        """Set `net_ipv4_ip_forward=1` and the like."""

        def write() -> None:
            for name, value in values.items():
                with open("/proc/sys/" + name.replace("__", "/"), "w") as file:
                    file.write(str(value))

        self.do(write)

    def close(self) -> None:
        """Let go of the namespace; threads that are still in it keep it for as long as they live."""
        self._pool.shutdown(wait=True)
        os.close(self.fd)


def _program(argv: tuple[str, ...], text: str) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def join(one: Space, here: str, other: Space, there: str) -> None:
    """A cable: link `here` in `one`, link `there` in `other`; both up."""
    path = f"/proc/{os.getpid()}/fd/{other.fd}"
    one.ip(f"link add {here} type veth peer name {there} netns {path}", f"link set {here} up")
    other.ip(f"link set {there} up")
