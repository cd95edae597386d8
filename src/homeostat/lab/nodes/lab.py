"""A lab whose nodes are hosts, as its supervisor sees it: the namespaces around it, and the children that it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

from homeostat.kit import kernel
from homeostat.kit.log import logger
from homeostat.lab.forking import Rooms
from homeostat.lab.nodes import cgroups, janitor, switch
from homeostat.lab.nodes.cables import Cables
from homeostat.lab.nodes.machine import Kit, Machines
from homeostat.lab.nodes.needs import interpreter_folders
from homeostat.lab.nodes.tools import launchers
from homeostat.lab.state import Folder
from homeostat.lab.supervisor import Child
from homeostat.lab.topology import Cluster, Node

# What runs on nodes in forks of their init; imported before the first node boots.
NODE_COMPONENTS = ("kubelet", "kube-proxy")
_log = logger("lab")


@dataclass(frozen=True, slots=True)
class Lab:
    """What the supervisor of such a lab works with."""

    children: list[Child]
    cables: Cables


def enter(folder: Folder, cluster: Cluster, rooms: Rooms, inherited: list[int]) -> Lab:
    """Move the supervisor into the lab's namespaces and make the network there; what it is to run.

    `inherited` are descriptors of the supervisor that nodes have no use for. Raises LabError and OSError.
    """
    groups = cgroups.find(f"homeostat-{cluster.name}-{os.getpid()}")
    if groups.note:
        _log.warning("%s", groups.note)
    alive = janitor.watch(groups, inherited)
    _enter_namespaces(cluster)
    kit = Kit(groups=groups, run=rooms.run, needs=interpreter_folders(), tools=launchers())
    machines = Machines(folder, cluster, kit, lambda: _load(rooms))
    children = [Child("network", ["homeostat-network", f"--state={folder.path}"])]
    for node in cluster.nodes():
        boot = partial(_boot, machines, node, [*inherited, alive])
        children.append(Child(f"node {node.name}", ["init"], node=node.name, boot=boot))
    return Lab(children, Cables([node.name for node in cluster.nodes()]))


def _boot(machines: Machines, node: Node, inherited: list[int], own: list[int]) -> int:
    return machines.boot(node, [*inherited, *own])


def _load(rooms: Rooms) -> None:
    for component in NODE_COMPONENTS:
        rooms.load(component)


def _enter_namespaces(cluster: Cluster) -> None:
    """A mount and a network namespace around the lab; as root the network reaches the host."""
    outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    kernel.unshare(kernel.NEWNS | kernel.NEWNET)
    kernel.mount("", "/", "", kernel.REC | kernel.SLAVE)
    inside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    switch.make(cluster.node_network)
    if _rules_the_host():
        interface = f"homeostat{cluster.index}"
        switch.lay_to_host(interface, outside)
        kernel.setns(outside, kernel.NEWNET)
        try:
            switch.host_side(cluster.node_network, interface)
        finally:
            kernel.setns(inside, kernel.NEWNET)
    os.close(outside)
    os.close(inside)


def _rules_the_host() -> bool:
    """Whether this is root, and not inside a user namespace of its own."""
    return os.geteuid() == 0
