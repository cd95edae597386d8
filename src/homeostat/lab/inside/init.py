"""A node's first process: it runs the services, reaps orphans, and takes orders on a socket inside the node.

The orders are those of `cluster.lab_orders`.

SIGTERM shuts the node down: every process is asked to end, and what has not ended after a moment is killed. SIGINT says
that the whole cluster ends, so that nothing is waited for that wants to hand over to another node first. Before a
poweroff or reboot (or on SIGPWR) the kubelet gets SIGPWR, and ends when its pods have had their
shutdown-grace-period. Power that fails is SIGKILL to this process: the kernel then ends everything that runs in its PID
namespace.
"""

from __future__ import annotations

import os
import signal
import socket

from homeostat.cluster.lab_orders import Order
from homeostat.kit import machine_clock
from homeostat.lab.inside.services import Services
from homeostat.lab.inside.units import Unit, canonical, unknown
from homeostat.lab.processes.forking import Component
from homeostat.lab.processes.orders import Orders, Reply
from homeostat.runtime.children.descriptors import Descriptors
from homeostat.runtime.children.processes import reap

# How init ends, for the supervisor: turned off by somebody on the node, or to be started again.
POWERED_OFF, REBOOT = 0, 3
_GRACE_SECONDS = 3.0
# However long pods may take to end, a node shuts down in this time.
_PODS_SECONDS_MAX = 600.0
_KUBELET = "kubelet"
# Processes that only hold containers and pods do not end when asked to, and have nothing to clean up.
_HOLDERS: tuple[str, ...] = ("containerd-shim", "catatonit")
# An etcd member that leads waits for a successor: in vain when all members end. What it has acknowledged is on disk.
_HANDING_OVER = ("etcd",)


class Init:
    """See the module. `listener` is the control socket; `run` runs a component of the cluster in a forked child."""

    def __init__(self, units: list[Unit], listener: socket.socket, run: Component) -> None:
        self._descriptors = Descriptors()
        self._ending: int | None = None
        self._in_order = False
        self._unattended = _HOLDERS
        self._wake, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._descriptors.watch(self._wake, self._on_signal)
        self._services = Services(units, run, lambda: [*self._descriptors.all(), self._wake_write])
        Orders(listener, self._descriptors, self._handle)

    def run(self) -> int:
        """Start every service and serve until the node shuts down; the exit code."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, self._on_sigint)
        signal.signal(signal.SIGPWR, self._on_sigpwr)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for name in self._services.names:
            self._services.start(name)
        while self._ending is None:
            self._descriptors.serve(self._services.next_wait())
            for pid, status in reap():
                self._services.ended(pid, status)
            self._services.tend()
        self._shut_down()
        return self._ending

    def _on_signal(self) -> None:
        os.read(self._wake, 4096)

    def _on_sigterm(self, *_: object) -> None:
        self._ending = POWERED_OFF

    def _on_sigint(self, *_: object) -> None:
        self._ending, self._unattended = POWERED_OFF, (*_HOLDERS, *_HANDING_OVER)

    def _on_sigpwr(self, *_: object) -> None:
        self._ending, self._in_order = POWERED_OFF, True

    # -- orders ----------------------------------------------------------------------------------------------------

    def _handle(self, order: Order, reply: Reply) -> None:
        what = order.verb
        if what == "units":
            reply({"units": self._services.status()})
        elif what in ("poweroff", "reboot"):
            self._ending, self._in_order = REBOOT if what == "reboot" else POWERED_OFF, True
            reply({"ok": True})
        else:
            self._handle_unit(order, reply)

    def _handle_unit(self, order: Order, reply: Reply) -> None:
        what, name = order.verb, canonical(order.unit)
        if name not in self._services.names:
            reply({"error": unknown(order.unit, self._services.names)})
        elif what == "start":
            self._services.start(name)
            reply({"ok": True})
        elif what == "stop":
            self._services.stop(name, lambda: reply({"ok": True}))
        elif what == "restart":
            self._services.restart(name, lambda: reply({"ok": True}))
        elif what in ("enable", "disable"):
            self._services.enable(name, enabled=what == "enable")
            reply({"ok": True})
        elif what == "kill":
            self._services.kill(name, order.signal or signal.SIGTERM)
            reply({"ok": True})
        else:
            reply({"error": f"unknown order {what!r}"})

    # -- the end ---------------------------------------------------------------------------------------------------

    def _end_pods(self) -> None:
        """Have the kubelet end the node's pods, and wait for it; without a grace period it ends at once."""
        deadline = machine_clock.monotonic() + _PODS_SECONDS_MAX
        while self._services.retire(_KUBELET, signal.SIGPWR) and machine_clock.monotonic() < deadline:
            self._descriptors.serve(0.05)
            for pid, status in reap():
                self._services.ended(pid, status)

    def _shut_down(self) -> None:
        """Ask everything to end, wait a moment, and let the kernel end the rest with this process."""
        if self._in_order:
            self._end_pods()
        deadline = machine_clock.monotonic() + _GRACE_SECONDS
        try:
            os.kill(-1, signal.SIGTERM)
        except ProcessLookupError:
            return  # nobody is left
        while machine_clock.monotonic() < deadline and _anyone(self._unattended):
            self._descriptors.serve(min(0.05, max(0.0, deadline - machine_clock.monotonic())))


def _anyone(unattended: tuple[str, ...]) -> bool:
    """Whether a process that can end in good order is left, not counting the `unattended`; reaps those that ended."""
    for _ in reap():
        pass
    others = (entry for entry in os.listdir("/proc") if entry.isdigit() and entry != "1")
    return any(_name(entry) not in unattended for entry in others)


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return _HOLDERS[0]  # it has just ended
