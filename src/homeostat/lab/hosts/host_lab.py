"""A lab whose nodes are hosts, as its supervisor sees it: the namespaces around it, and the children that it runs."""

from __future__ import annotations

import importlib
import os
import sys

from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.kit import kernel
from homeostat.kit.log import logger
from homeostat.lab.hosts import control_groups, janitor
from homeostat.lab.hosts.node_process import Kit, Machines
from homeostat.lab.hosts.requirements import interpreter_folders
from homeostat.lab.links import registry_way, switch
from homeostat.lab.links.cables import Cables
from homeostat.lab.processes import user_namespace
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.supervise.supervisor import Child
from homeostat.shell.launchers import launchers

# What runs on nodes in forks of their init; imported before the first node boots.
NODE_COMPONENTS = ("kubelet", "kube-proxy")
# What those import only where nodes are hosts: read once here rather than on every node.
NODE_MODULES = ("grpc.aio", "homeostat.runtime.cri.cri_runtime")
# The control group of the supervisor and the lab's network; no node can have this name.
_OWN_GROUP = ".lab"
_log = logger("lab")


class Lab:
    """What the supervisor of such a lab works with; see `supervisor.Hosts`. `inherited` are descriptors that nodes have
    no use for."""

    def __init__(self, folder: Folder, machines: Machines, inherited: list[int]) -> None:
        self._folder = folder
        self._machines = machines
        self._inherited = inherited
        self.cables = Cables([node.name for node in folder.load().nodes()])

    def children(self) -> list[Child]:
        """All that is to run: the process that leads from the host to the API, and the nodes."""
        network = Child("network", ["homeostat-network", f"--state={self._folder.path}"])
        return [network, *(self.child(node.name) for node in self._folder.load().nodes())]

    def child(self, node: str) -> Child:
        """The child that is a node of the cluster's plan as it is now. Raises KeyError."""
        cluster = self._folder.load()
        found = cluster.node(node)

        def boot(own: list[int]) -> int:
            return self._machines.boot(cluster, found, [*self._inherited, *own])

        return Child(f"node {node}", ["init"], node=node, boot=boot)

    def end(self) -> None:
        """Nothing runs any more: leave no trace on the host."""
        switch.part_from_host()

    def forget(self, node: str) -> None:
        """Remove the control groups of a node that has ended."""
        self._machines.forget(node)


def enter(folder: Folder, cluster: Cluster, rooms: Rooms, inherited: list[int]) -> Lab:
    """Move the supervisor into the lab's namespaces and make the network there.

    `inherited` are descriptors of the supervisor that nodes have no use for. Raises LabError and OSError.
    """
    # A janitor that was killed with everything else has left them.
    for old in control_groups.stale(f"homeostat-{cluster.name}"):
        old.remove_soon()
    groups = control_groups.find(f"homeostat-{cluster.name}-{os.getpid()}")
    if groups.note:
        _log.warning("%s", groups.note)
    alive = janitor.watch(groups, inherited)
    registries = registry_way.fork([*inherited, alive])
    # Beside the nodes' groups: outside of them it would boot one node in the time that those before it leave over.
    groups.make(_OWN_GROUP)
    groups.join(_OWN_GROUP, os.getpid())
    is_root = os.geteuid() == 0
    if not is_root:
        user_namespace.enter()
    _enter_namespaces(cluster, join_host=is_root)
    proxy = registry_way.listen(registries, cluster.gateway)
    kit = Kit(groups, rooms.run, interpreter_folders(), launchers(sys.executable), proxy)
    # Held while the lab lives, and by no node.
    return Lab(folder, Machines(folder, kit, lambda: _load(rooms)), [*inherited, alive, registries.detach()])


def _load(rooms: Rooms) -> None:
    for module in NODE_MODULES:
        importlib.import_module(module)
    for component in NODE_COMPONENTS:
        rooms.load(component)


def _enter_namespaces(cluster: Cluster, *, join_host: bool) -> None:
    """A mount and a network namespace around the lab; as root the network reaches the host."""
    outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    kernel.unshare(kernel.NEWNS | kernel.NEWNET)
    kernel.mount("", "/", "", kernel.REC | kernel.SLAVE)
    inside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    switch.make(cluster.node_network, cluster.service_cidr)
    if join_host:
        interface = f"homeostat{cluster.index}"
        switch.lay_to_host(interface, outside)
        kernel.setns(outside, kernel.NEWNET)
        try:
            switch.host_side(cluster.node_network, interface)
        finally:
            kernel.setns(inside, kernel.NEWNET)
    os.close(outside)
    os.close(inside)
