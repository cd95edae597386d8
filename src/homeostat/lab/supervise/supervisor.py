"""The supervisor: the warm parent of a cluster's processes, and the one process that must live.

It has imported everything, runs no event loop and no thread, and so may fork at any time: the shim of all containers,
node agents, the network process. It relaunches its own children when they end, handles orders on a Unix socket (one
JSON object a line, answered by one line), and ends everything when asked to. When it dies itself, the kernel ends its
children (PR_SET_PDEATHSIG): nothing outlives it.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import LabError
from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.lab.links.cables import Cables
from homeostat.lab.processes.forking import Component, Rooms, fork_component
from homeostat.lab.processes.orders import Answer, Orders, Reply, short_path
from homeostat.runtime.children.descriptors import Descriptors
from homeostat.runtime.children.forked import adopt_orphans
from homeostat.runtime.children.processes import children as children_of_this
from homeostat.runtime.children.processes import kill, reap

_log = logger("supervisor")
# A component that keeps ending is relaunched at once, then ever more slowly; ten quiet seconds forgive it.
_RELAUNCH = Backoff(first_seconds=0.05, ceiling_seconds=5.0)
_FORGIVEN_AFTER_SECONDS = 10.0
_STOP_GRACE_SECONDS = 4.0
# A node that shuts down in good order bounds itself (`inside.init`); this is when it is not believed any more.
_SHUTDOWN_SECONDS_MAX = 660.0


@dataclass(slots=True)
class Child:
    """A process that the supervisor keeps running while it is `wanted`: a component, or `work` of its own, which ends
    in good order when the supervisor dies, or a whole node that `boot` starts (given the descriptors to close there),
    which ends with code 0 when somebody turned it off from inside. One with a `listener`, a listening socket, does not
    run until a client connects there, and may end when it has none."""

    name: str
    argv: list[str]
    node: str = ""
    work: Component | None = None
    boot: Callable[[list[int]], int] | None = None
    listener: socket.socket | None = None
    awaits_client: bool = False  # the supervisor waits there for a client
    pid: int = 0
    wanted: bool = True
    launches: int = 0
    failures: int = 0
    started_at: float = 0.0
    relaunch_at: float = 0.0


@dataclass(slots=True)
class _Stopping:
    """Processes that were asked to end; the order's sender gets an answer when they have."""

    pids: set[int]
    kill_at: float
    then: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Shim:
    """The child that has the containers of a lab without nodes of its own, and the socket where it takes orders."""

    child: Child
    socket: Path


class Hosts(Protocol):
    """What the supervisor keeps of nodes that are hosts."""

    cables: Cables

    def child(self, node: str) -> Child:
        """The child that is a node of the cluster's plan as it is now. Raises KeyError."""
        ...

    def forget(self, node: str) -> None:
        """A node that has ended is not wanted any more: release its kernel resources."""
        ...


class Supervisor:
    """See the module. `shim` is among the children, where nodes are not hosts; `hosts` is there where they are."""

    def __init__(
        self,
        *,
        children: list[Child],
        control: socket.socket,
        rooms: Rooms,
        shim: Shim | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self._children = {child.name: child for child in children}
        self._shim = shim
        self._hosts = hosts
        self._cables = hosts.cables if hosts else None
        self._rooms = rooms
        self._control = control
        self._stopping: list[_Stopping] = []
        self._done = False
        self._descriptors = Descriptors()
        self._wake, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Launch the children and serve until asked to end."""
        adopt_orphans()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._order_down(lambda: None))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._descriptors.watch(self._wake, self._on_signal)
        Orders(self._control, self._descriptors, self._handle)
        for child in self._children.values():
            self._begin(child)
        while not self._done:
            self._descriptors.serve(self._next_wait())
            self._reap()
            self._tend()

    def keep(self, child: Child) -> None:
        """One child more. Call it before `run`."""
        self._children[child.name] = child

    def _next_wait(self) -> float | None:
        moments = [c.relaunch_at for c in self._children.values() if c.wanted and not c.pid and not c.awaits_client]
        moments += [stopping.kill_at for stopping in self._stopping]
        moments += self._cables.deadlines() if self._cables else []
        return max(0.0, min(moments) - clock.monotonic()) if moments else None

    # -- children --------------------------------------------------------------------------------------------------

    def _begin(self, child: Child) -> None:
        """Launch it, or wait for the client that needs it."""
        if child.listener is None:
            self._launch(child)
            return
        child.awaits_client = True
        self._descriptors.watch(child.listener.fileno(), lambda: self._connected(child))

    def _connected(self, child: Child) -> None:
        """A client waits there; the child accepts it itself."""
        assert child.listener is not None
        self._descriptors.forget(child.listener.fileno())
        child.awaits_client = False
        if child.wanted:
            self._launch(child)

    def _launch(self, child: Child) -> None:
        # Not where a client is awaited: who has no use for that one closes it among all that is inherited.
        awaiting = {c.listener.fileno() for c in self._children.values() if c.listener is not None}
        own = [*(each for each in self._descriptors.all() if each not in awaiting), self._wake_write]
        child.launches += 1
        child.started_at = clock.monotonic()
        if child.boot is not None:
            self._boot(child, child.boot, own)
            return
        self._rooms.load(child.argv[0])
        work, death_signal = child.work or self._rooms.run, signal.SIGTERM if child.work else signal.SIGKILL
        child.pid = fork_component(child.argv, work, death_signal=death_signal, close=own)
        _log.info("launched %s as process %d", child.name, child.pid)

    def _boot(self, child: Child, boot: Callable[[list[int]], int], own: list[int]) -> None:
        try:
            child.pid = boot(own)
        except (OSError, LabError) as error:
            _log.error("%s cannot be started: %s", child.name, error)
            child.failures += 1
            child.relaunch_at = clock.monotonic() + _RELAUNCH.delay(child.failures)
            return
        if self._cables:
            self._cables.plugged(child.node)
        _log.info("booted %s as process %d", child.name, child.pid)

    def _reap(self) -> None:
        strays = False
        for pid, status in reap():
            ended = [child for child in self._children.values() if child.pid == pid]
            for child in ended:
                self._ended(child, status)
            for stopping in self._stopping:
                stopping.pids.discard(pid)
            strays = strays or not ended or (self._shim is not None and self._shim.child in ended)
        if strays:
            for pid in self._strays():
                kill(pid)

    def _strays(self) -> set[int]:
        """What a shim that was killed has left behind."""
        return set(children_of_this()) - {child.pid for child in self._children.values()}

    def _ended(self, child: Child, status: int) -> None:
        child.pid = 0
        now = clock.monotonic()
        child.failures = 0 if now - child.started_at > _FORGIVEN_AFTER_SECONDS else child.failures + 1
        child.relaunch_at = now + (_RELAUNCH.delay(child.failures - 1) if child.failures > 1 else 0.0)
        if child.boot is not None and status == 0:
            child.wanted = False
        if child.listener is not None and status == 0:
            child.failures = 0
            child.relaunch_at = now
            _log.info("%s ended after a time without clients; the next one starts it", child.name)
        elif child.wanted:
            _log.warning("%s ended (%s); relaunching", child.name, _how(status))

    def _tend(self) -> None:
        now = clock.monotonic()
        if self._cables:
            self._cables.tend(now)
        for child in self._children.values():
            if child.wanted and not child.pid and not child.awaits_client and child.relaunch_at <= now:
                self._begin(child)
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

    def _handle(self, order: Order, answer: Reply) -> None:
        what, node = order.verb, order.node
        if what == "status":
            answer(self._status())
        elif what == "stop-node":
            self._order_stop(node, lambda: answer({"stopped": node}), power=order.power)
        elif what == "start-node":
            answer(self._order_start(node))
        elif what == "down":
            self._order_down(lambda: answer({"down": True}))
        elif what in ("cut", "heal") and self._cables:
            answer(self._cables.handle(order))
        elif what in ("add-node", "remove-node") and self._hosts:
            self._order_change(what, node, self._hosts, answer)
        else:
            answer({"error": f"unknown order {what!r}"})

    def _status(self) -> Answer:
        children = [
            {"name": c.name, "node": c.node, "pid": c.pid, "wanted": c.wanted, "launches": c.launches}
            for c in self._children.values()
        ]
        cut = self._cables.status() if self._cables else {}
        return {"pid": os.getpid(), "children": children, "cut": cut}

    def _order_stop(self, node: str, then: Callable[[], None], *, power: bool) -> None:
        agents = [c for c in self._children.values() if c.node == node]
        for child in agents:
            child.wanted = False
        # A machine that loses its power ends nothing in good order. The agent first: it would start again what is
        # taken from it.
        number, grace = signal.SIGKILL if power else signal.SIGTERM, _STOP_GRACE_SECONDS
        if self._hosts and not power:
            # The node's init lets its pods end first, as long as the kubelet's shutdown-grace-period allows.
            number, grace = signal.SIGPWR, _SHUTDOWN_SECONDS_MAX
        pids = {c.pid for c in agents if c.pid}
        self._stop(pids, number, lambda: self._end_containers(node, then, power=power), grace_seconds=grace)

    def _end_containers(self, node: str, then: Callable[[], None], *, power: bool) -> None:
        """Order the shim to end those of a node; `then` when it has, or is gone. A node that is a host ends its own."""
        if self._shim is None:
            then()
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(self._shim.socket) as name:
                connection.connect(name)
            connection.sendall(Order("end", node=node, power=power).line())
        except OSError:
            connection.close()
            then()
            return

        def ended() -> None:
            self._descriptors.forget(connection.fileno())
            connection.close()
            then()

        self._descriptors.watch(connection.fileno(), ended)

    def _order_start(self, node: str) -> Answer:
        agents = [c for c in self._children.values() if c.node == node]
        for child in agents:
            child.wanted = True
            child.relaunch_at = 0.0
        return {"started": node} if agents else {"error": f"there is no node {node!r}"}

    def _order_change(self, what: str, node: str, hosts: Hosts, answer: Reply) -> None:
        """Take a node into the lab that the plan has now, or out of it."""
        if what == "add-node":
            child = hosts.child(node)
            hosts.cables.nodes.add(node)
            self._children[child.name] = child
            answer({"added": node})
            return

        def ended() -> None:
            for name in [child.name for child in self._children.values() if child.node == node]:
                del self._children[name]
            hosts.cables.nodes.discard(node)
            hosts.forget(node)
            answer({"removed": node})

        self._order_stop(node, ended, power=True)

    def _order_down(self, then: Callable[[], None]) -> None:
        for child in self._children.values():
            child.wanted = False

        def finish() -> None:
            if strays := self._strays():
                self._stop(strays, signal.SIGKILL, finish)
                return
            self._done = True
            then()

        shim = self._shim.child if self._shim else None
        agents = {c.pid for c in self._children.values() if c.pid and c is not shim}
        # A node's init learns from this one that no other node is left to hand anything over to.
        _signal_all({c.pid for c in self._children.values() if c.pid and c.boot is not None}, signal.SIGINT)
        term = signal.SIGTERM
        self._stop(agents, term, lambda: self._stop({shim.pid if shim else 0} - {0}, term, finish))

    def _stop(
        self,
        pids: set[int],
        number: signal.Signals,
        then: Callable[[], None],
        *,
        grace_seconds: float = _STOP_GRACE_SECONDS,
    ) -> None:
        if not pids:
            then()
            return
        _signal_all(pids, number)
        self._stopping.append(_Stopping(set(pids), clock.monotonic() + grace_seconds, then))


def _signal_all(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"
