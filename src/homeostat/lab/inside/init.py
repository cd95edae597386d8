"""A node's first process: it runs the services, reaps orphans, and takes orders on a socket inside the node.

One JSON object a line, answered by one line: `{"do": "units"}`; `{"do": D, "unit": U}` where D is start, stop, restart,
enable or disable; `{"do": "kill", "unit": U, "signal": N}`; `{"do": "poweroff"}`; `{"do": "reboot"}`.

SIGTERM shuts the node down: every process is told to end, and what has not ended after a moment is killed. SIGINT says
that the whole cluster ends, so that nothing is waited for that wants to hand over to another node first. Before a
poweroff or reboot (or on SIGPWR) the kubelet is told by SIGPWR, and ends when its pods have had their
shutdown-grace-period. Power that fails is SIGKILL to this process: the kernel then ends everything that runs in its PID
namespace.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from homeostat.kit import machine
from homeostat.lab.inside.services import Services
from homeostat.lab.inside.units import Unit, canonical, unknown
from homeostat.lab.processes.forking import Component
from homeostat.lab.processes.orders import Answer, Orders
from homeostat.runtime.descriptors import Descriptors
from homeostat.runtime.processes import reap

# How init ends, for the supervisor: turned off by somebody on the node, or to be started again.
POWERED_OFF, REBOOT = 0, 3
_GRACE_SECONDS = 3.0
# However long pods may take to end, a node goes down in this time.
_PODS_SECONDS_MAX = 600.0
_KUBELET = "kubelet"
# What only holds containers and pods does not end when it is told to, and has nothing to put in order.
_HOLDERS: tuple[str, ...] = ("containerd-shim", "catatonit")
# An etcd member that leads waits for a successor: in vain when all members end. What it has acknowledged is on disk.
_HANDING_OVER = ("etcd",)
Tell = Callable[[Answer], None]


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
        Orders(listener, self._descriptors, self._obey)

    def run(self) -> int:
        """Start every service and serve until the node shuts down; the exit code."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._told_to_end)
        signal.signal(signal.SIGINT, self._told_that_all_end)
        signal.signal(signal.SIGPWR, self._told_of_power)
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

    def _told_to_end(self, *_: object) -> None:
        self._ending = POWERED_OFF

    def _told_that_all_end(self, *_: object) -> None:
        self._ending, self._unattended = POWERED_OFF, (*_HOLDERS, *_HANDING_OVER)

    def _told_of_power(self, *_: object) -> None:
        self._ending, self._in_order = POWERED_OFF, True

    # -- orders ----------------------------------------------------------------------------------------------------

    def _obey(self, order: Answer, tell: Tell) -> None:
        what = str(order["do"])
        if what == "units":
            tell({"units": self._services.status()})
        elif what in ("poweroff", "reboot"):
            self._ending, self._in_order = REBOOT if what == "reboot" else POWERED_OFF, True
            tell({"ok": True})
        else:
            self._obey_unit(what, order, tell)

    def _obey_unit(self, what: str, order: Answer, tell: Tell) -> None:
        asked = str(order.get("unit", ""))
        name = canonical(asked)
        if name not in self._services.names:
            tell({"error": unknown(asked, self._services.names)})
        elif what == "start":
            self._services.start(name)
            tell({"ok": True})
        elif what == "stop":
            self._services.stop(name, lambda: tell({"ok": True}))
        elif what == "restart":
            self._services.restart(name, lambda: tell({"ok": True}))
        elif what in ("enable", "disable"):
            self._services.enable(name, enabled=what == "enable")
            tell({"ok": True})
        elif what == "kill":
            self._services.kill(name, int(order.get("signal", signal.SIGTERM)))
            tell({"ok": True})
        else:
            tell({"error": f"unknown order {what!r}"})

    # -- the end ---------------------------------------------------------------------------------------------------

    def _end_pods(self) -> None:
        """Let the kubelet end the node's pods, and wait for it; without a grace period it ends at once."""
        deadline = machine.monotonic() + _PODS_SECONDS_MAX
        while self._services.retire(_KUBELET, signal.SIGPWR) and machine.monotonic() < deadline:
            self._descriptors.serve(0.05)
            for pid, status in reap():
                self._services.ended(pid, status)

    def _shut_down(self) -> None:
        """Tell everything to end, wait a moment, and let the kernel end the rest with this process."""
        if self._in_order:
            self._end_pods()
        deadline = machine.monotonic() + _GRACE_SECONDS
        try:
            os.kill(-1, signal.SIGTERM)
        except ProcessLookupError:
            return  # nobody is left
        while machine.monotonic() < deadline and _anyone(self._unattended):
            self._descriptors.serve(min(0.05, max(0.0, deadline - machine.monotonic())))


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
