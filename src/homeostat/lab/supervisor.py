"""The supervisor: the warm parent of a cluster's processes, and the one process that must live.

It has imported everything, runs no event loop and no thread, and so may fork at any time: node agents, the network
process, and (when an agent asks) the shim of a container. It relaunches its own children when they end, obeys orders
on a Unix socket (one JSON object a line, answered by one line), and ends everything when it is told to. When it dies
itself, the kernel ends its children (PR_SET_PDEATHSIG): nothing outlives it.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from homeostat.kit import clock, collector
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.lab.forking import fork_component, fork_shim
from homeostat.lab.manifests import COMPONENTS

_log = logger("supervisor")
# A component that keeps ending is relaunched at once, then ever more slowly; ten quiet seconds forgive it.
_RELAUNCH = Backoff(first_seconds=0.05, ceiling_seconds=5.0)
_FORGIVEN_AFTER_SECONDS = 10.0
_STOP_GRACE_SECONDS = 4.0
_LINE_BYTES_MAX = 65536


@dataclass(frozen=True, slots=True)
class Rooms:
    """What components are made of: `run` runs a command line in a forked child and returns its exit code, `preload`
    imports all that a component of `names` needs."""

    names: Collection[str]
    preload: Callable[[str], object]
    run: Callable[[list[str]], int]


@dataclass(slots=True)
class Child:
    """A process that the supervisor keeps running while it is `wanted`."""

    name: str
    argv: list[str]
    node: str = ""
    pid: int = 0
    wanted: bool = True
    launches: int = 0
    failures: int = 0
    started_at: float = 0.0
    relaunch_at: float = 0.0


@dataclass(slots=True)
class _Stopping:
    """Processes told to end; the order's sender hears when they have."""

    pids: set[int]
    kill_at: float
    then: Callable[[], None]


@dataclass(slots=True)
class _Peer:
    """A connection on the control socket."""

    connection: socket.socket
    pending: bytes = b""


class Supervisor:
    """See the module.

    `inherited` are descriptors that the supervisor holds for its own children and no container may have.
    """

    def __init__(self, *, children: list[Child], control: socket.socket, rooms: Rooms, inherited: list[int]) -> None:
        self._children = {child.name: child for child in children}
        self._rooms = rooms
        self._loaded: set[str] = set()
        self._inherited = inherited
        self._control = control
        self._shims: dict[int, Path] = {}
        self._stopping: list[_Stopping] = []
        self._done = False
        self._selector = selectors.EpollSelector()
        self._wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_write = wake_write

    def run(self) -> None:
        """Launch the children and serve until told to end."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._order_down(lambda: None))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._wake, selectors.EVENT_READ, self._on_signal)
        self._control.setblocking(False)
        self._selector.register(self._control, selectors.EVENT_READ, self._on_connection)
        for child in self._children.values():
            self._launch(child)
        while not self._done:
            for key, _ in self._selector.select(self._next_wait()):
                key.data()
            self._reap()
            self._tend()

    def _next_wait(self) -> float | None:
        moments = [c.relaunch_at for c in self._children.values() if c.wanted and not c.pid]
        moments += [stopping.kill_at for stopping in self._stopping]
        return max(0.0, min(moments) - clock.monotonic()) if moments else None

    # -- children --------------------------------------------------------------------------------------------------

    def _launch(self, child: Child) -> None:
        self._preload(child.argv[0])
        child.pid = fork_component(child.argv, self._rooms.run, close=self._own_descriptors())
        child.launches += 1
        child.started_at = clock.monotonic()
        _log.info("launched %s as process %d", child.name, child.pid)

    def _preload(self, component: str) -> None:
        """Import a component's rooms before the first fork that needs them, and keep the collector off them."""
        if component not in self._loaded and component in self._rooms.names:
            self._rooms.preload(component)
            collector.settle()
            self._loaded.add(component)

    def _own_descriptors(self) -> list[int]:
        peers = [key.fd for key in self._selector.get_map().values()]
        return [*peers, self._wake_write, self._selector.fileno()]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._shims.pop(pid, None)
            for child in self._children.values():
                if child.pid == pid:
                    self._ended(child, status)
            for stopping in self._stopping:
                stopping.pids.discard(pid)

    def _ended(self, child: Child, status: int) -> None:
        child.pid = 0
        now = clock.monotonic()
        child.failures = 0 if now - child.started_at > _FORGIVEN_AFTER_SECONDS else child.failures + 1
        child.relaunch_at = now + (_RELAUNCH.delay(child.failures - 1) if child.failures > 1 else 0.0)
        if child.wanted:
            _log.warning("%s ended (%s); relaunching", child.name, _how(status))

    def _tend(self) -> None:
        now = clock.monotonic()
        for child in self._children.values():
            if child.wanted and not child.pid and child.relaunch_at <= now:
                self._launch(child)
        for stopping in list(self._stopping):
            if stopping.pids and stopping.kill_at <= now:
                _signal_all(stopping.pids, signal.SIGKILL)
                stopping.kill_at = now + _STOP_GRACE_SECONDS
            if not stopping.pids:
                self._stopping.remove(stopping)
                stopping.then()

    # -- orders ----------------------------------------------------------------------------------------------------

    def _on_signal(self) -> None:
        os.read(self._wake, 4096)

    def _on_connection(self) -> None:
        connection, _ = self._control.accept()
        connection.setblocking(False)
        peer = _Peer(connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._on_bytes(peer))

    def _on_bytes(self, peer: _Peer) -> None:
        try:
            received = peer.connection.recv(_LINE_BYTES_MAX)
        except OSError:
            received = b""
        if not received or len(peer.pending) > _LINE_BYTES_MAX:
            self._selector.unregister(peer.connection)
            peer.connection.close()
            return
        *lines, peer.pending = (peer.pending + received).split(b"\n")
        for line in lines:
            self._obey(line, lambda answer: _answer(peer.connection, answer))

    def _obey(self, line: bytes, answer: Callable[[dict[str, Any]], None]) -> None:
        try:
            order = orjson.loads(line)
            what, node = str(order["do"]), str(order.get("node", ""))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            answer({"error": "an order is a JSON object with a field `do`"})
            return
        if what == "launch":
            answer({"pid": self._fork_shim(Path(str(order.get("dir", ""))))})
        elif what == "status":
            answer(self._status())
        elif what == "stop-node":
            # A machine that loses its power ends nothing in good order.
            number = signal.SIGKILL if order.get("power") else signal.SIGTERM
            self._order_stop(node, number, lambda: answer({"stopped": node}))
        elif what == "start-node":
            answer(self._order_start(node))
        elif what == "down":
            self._order_down(lambda: answer({"down": True}))
        else:
            answer({"error": f"unknown order {what!r}"})

    def _fork_shim(self, folder: Path) -> int:
        self._preload(_command(folder))
        close = [*self._own_descriptors(), *self._inherited]
        pid = fork_shim(folder, self._rooms.run, names=COMPONENTS, close=close)
        self._shims[pid] = folder
        return pid

    def _status(self) -> dict[str, Any]:
        children = [
            {"name": c.name, "node": c.node, "pid": c.pid, "wanted": c.wanted, "launches": c.launches}
            for c in self._children.values()
        ]
        return {"pid": os.getpid(), "children": children, "containers": len(self._shims)}

    def _order_stop(self, node: str, number: signal.Signals, then: Callable[[], None]) -> None:
        agents = [c for c in self._children.values() if c.node == node]
        for child in agents:
            child.wanted = False
        # The agent first: it would start again what is taken from it.
        self._stop({c.pid for c in agents if c.pid}, number, lambda: self._stop(self._shims_of(node), number, then))

    def _order_start(self, node: str) -> dict[str, Any]:
        agents = [c for c in self._children.values() if c.node == node]
        for child in agents:
            child.wanted = True
            child.relaunch_at = 0.0
        return {"started": node} if agents else {"error": f"there is no node {node!r}"}

    def _order_down(self, then: Callable[[], None]) -> None:
        for child in self._children.values():
            child.wanted = False

        def finish() -> None:
            self._done = True
            then()

        agents = {c.pid for c in self._children.values() if c.pid}
        term = signal.SIGTERM
        self._stop(agents, term, lambda: self._stop(set(self._shims), term, finish))

    def _shims_of(self, node: str) -> set[int]:
        return {pid for pid, folder in self._shims.items() if node in folder.parts}

    def _stop(self, pids: set[int], number: signal.Signals, then: Callable[[], None]) -> None:
        _signal_all(pids, number)
        self._stopping.append(_Stopping(set(pids), clock.monotonic() + _STOP_GRACE_SECONDS, then))


def _command(folder: Path) -> str:
    """The first word of the command that a container's folder is about; empty when it cannot be read."""
    try:
        return str(orjson.loads((folder / "spec.json").read_bytes())["argv"][0])
    except (OSError, orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""


def _signal_all(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    try:
        connection.sendall(orjson.dumps(answer) + b"\n")
    except OSError:
        _log.info("the sender of an order left before its answer")


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"
