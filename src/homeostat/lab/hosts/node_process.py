"""One node as a process tree: forked from the supervisor into namespaces of its own, connected to the switch, given its
root.

The supervisor calls `Machines.boot`; everything after the fork happens in the child, which becomes the node's init. The
two talk over a pair of sockets: the child continues when its control groups are made, then when its cable is laid, and
it ends when the supervisor does before that.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from homeostat.cluster import node_layout
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.kit import kernel
from homeostat.lab.hosts import control_groups
from homeostat.lab.hosts.control_groups import Groups
from homeostat.lab.inside import rootfs, sshd
from homeostat.lab.inside.init import Init
from homeostat.lab.inside.units import units_of
from homeostat.lab.links import switch
from homeostat.lab.processes import orders
from homeostat.lab.processes.forking import Component
from homeostat.lab.processes.process_title import set_title
from homeostat.network.decide.pod_routes import LEASES

_SPACES = kernel.NEWNS | kernel.NEWNET | kernel.NEWUTS | kernel.NEWIPC
_FAILED = 70


@dataclass(frozen=True, slots=True)
class Kit:
    """What every node of a lab is made with: `groups` for its limits, `run` for the cluster's components, folders of
    the host that it `needs`, the `tools` on its PATH, and the URL of the `proxy` to registries, if there is one."""

    groups: Groups
    run: Component
    needs: frozenset[str]
    tools: dict[str, str]
    proxy: str = ""


class Machines:
    """Boots nodes. `preload` imports what their components need, before the fork."""

    def __init__(self, folder: Folder, kit: Kit, preload: Callable[[], None]) -> None:
        self._folder = folder
        self._kit = kit
        self._preload = preload

    def boot(self, cluster: Cluster, node: Node, close: list[int]) -> int:
        """Start a node of `cluster`; returns its init's process ID. `close` are descriptors that it must not keep.

        Raises OSError and LabError when it cannot be started; nothing of it is left then.
        """
        self._preload()
        self._kit.groups.make(node.name)
        ours, its = socket.socketpair()
        pid = self._fork(lambda: self._be(cluster, node, its, [*close, ours.fileno()]))
        its.close()
        try:
            self._kit.groups.join(node.name, pid)
            ours.sendall(b"g")
            if ours.recv(1) != b"n":
                raise OSError(f"{node.name} did not start; see {NodeFolder(self._folder.node(node.name)).console}")
            switch.plug(node, pid)
            ours.sendall(b"p")
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            ours.close()
        return pid

    def _fork(self, work: Callable[[], NoReturn]) -> int:
        """Fork the first process of a new PID namespace; its process ID here.

        A process that has made such a namespace for its children cannot always go back, so one between does it, and
        ends. This process must be the one that adopts its descendants' orphans (`forked.adopt_orphans`).
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        between = os.fork()
        if not between:
            try:
                kernel.unshare(kernel.NEWPID)
                if pid := os.fork():
                    os.write(writing, str(pid).encode())
                else:
                    os.close(reading)
                    os.close(writing)
                    work()
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(between, 0)
        text = os.read(reading, 32)
        os.close(reading)
        if not text:
            raise OSError("no PID namespace can be made")
        return int(text)

    def forget(self, node: str) -> None:
        """Remove what an ended node left outside its namespaces."""
        self._kit.groups.remove(node)

    # -- in the child ----------------------------------------------------------------------------------------------

    def _be(self, cluster: Cluster, node: Node, pipe: socket.socket, close: list[int]) -> NoReturn:
        """Be the node."""
        code = _FAILED
        try:
            _start_afresh(close)
            _write_to(NodeFolder(self._folder.node(node.name)))
            code = self._become(cluster, node, pipe)
        except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _become(self, cluster: Cluster, node: Node, pipe: socket.socket) -> int:
        if pipe.recv(1) != b"g":
            return _FAILED
        # Not before: it means the parent of this moment.
        kernel.die_with_parent(signal.SIGKILL)
        groups = self._kit.groups
        kernel.unshare(_SPACES | (kernel.NEWCGROUP if groups.hierarchies else 0))
        pipe.sendall(b"n")
        if pipe.recv(1) != b"p":
            return _FAILED
        pipe.close()
        kernel.set_hostname(node.name)
        switch.node_side(node.address, cluster.node_network)
        _forward_packets()
        layers = node_layout.shared_layers(self._folder.path)
        rootfs.enter(NodeFolder(self._folder.node(node.name)), self._kit.needs, self._kit.tools, layers)
        if groups.hierarchies:
            kernel.unmount(control_groups.ROOT)
            unified = not groups.hierarchies[0].controllers
            control_groups.mount_inside(groups, unified=unified)
            if unified:
                control_groups.leave_root()
        set_title(["init"])
        _forget_leases()
        os.environ.update(PATH=node_layout.PATH, HOME="/root")
        listener = orders.bind(Path(node_layout.INIT_SOCKET))
        units = units_of(node.name, proxy=self._kit.proxy, ssh=sshd.usable_here())
        return Init(units, listener, self._kit.run).run()


def _start_afresh(close: list[int]) -> None:
    """Forget the supervisor's signals and descriptors."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    for descriptor in close:
        os.close(descriptor)


def _write_to(folder: NodeFolder) -> None:
    sink = os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)


def _forward_packets() -> None:
    """A node is a router between its pods and the others."""
    for name, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/default/rp_filter", "0")):
        with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
            file.write(value)


def _forget_leases() -> None:
    """The pods that had addresses ended with the node's power. What was given out last is remembered (host-local's
    `last_reserved_ip`): the next pod gets another address."""
    for lease in Path(LEASES).glob("*/[0-9]*"):
        lease.unlink(missing_ok=True)
