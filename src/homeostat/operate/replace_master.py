"""A master whose disk is lost is rebuilt beside the others, for `homeostat node replace`.

The order matters: the member leaves etcd before anything of its data is thrown away, and joins as a new one; with its
old identity and an empty log it could vote against what it has acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from homeostat.cluster import etcd_member, static_pods
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.compose.shared import etcd_members
from homeostat.kit import clock
from homeostat.lab.images import stock
from homeostat.lab.links import host_reach
from homeostat.lab.prepare import prepare
from homeostat.lab.processes import user_namespace
from homeostat.lab.processes.orders import ask
from homeostat.operate.workers import READY_SECONDS, wait_ready

_ORDER_SECONDS = 60.0
_MEMBER_SECONDS = 60.0
_LOOK_SECONDS = 0.2


def replace_master(folder: Folder, name: str, *, say: Callable[[str], None]) -> None:
    """Turn a master off, forget its disk, let it join again, and wait until it is healthy. Raises LabError."""
    cluster = folder.load()
    if not cluster.kind.are_hosts or cluster.store != "etcd":
        raise LabError("only masters with an etcd member are replaced (`homeostat up --runtime container`)")
    if name not in [node.name for node in cluster.masters()]:
        raise LabError(f"{name} is no master; a worker is replaced by `homeostat node remove` and `node add`")
    ask(folder.supervisor_socket, Order("status"))
    say(f"turning {name} off")
    ask(folder.supervisor_socket, Order("stop-node", node=name, power=True), timeout_seconds=_ORDER_SECONDS)
    say("replacing its etcd member")
    try:
        host_reach.in_network(folder, lambda: etcd_members.replace_member(cluster, folder.pki, name))
    except LabError:
        # Nothing was removed: it is started again as it was.
        with suppress(LabError):
            ask(folder.supervisor_socket, Order("start-node", node=name), timeout_seconds=_ORDER_SECONDS)
        raise
    say("creating a new disk for it")
    user_namespace.forget(folder.node(name))
    prepare(folder, cluster)
    write_joining(folder, cluster, name)
    ask(folder.supervisor_socket, Order("start-node", node=name), timeout_seconds=_ORDER_SECONDS)
    say(f"waiting until {name} is Ready, for at most {READY_SECONDS:.0f} s")
    asyncio.run(wait_ready(folder, name))
    say(f"waiting until its etcd member has the others' data, for at most {_MEMBER_SECONDS:.0f} s")
    _wait_member(folder, cluster, name)


def write_joining(folder: Folder, cluster: Cluster, name: str) -> None:
    """Let a master's etcd join the cluster that there is, instead of beginning one."""
    members = [etcd_member.Member(node.name, node.address) for node in cluster.masters()]
    own = next(member for member in members if member.name == name)
    pod = etcd_member.static_pod(own, members, stock.etcd_image(), joining=True)
    static_pods.write([pod], NodeFolder(folder.node(name)).kubernetes / "manifests")


def _wait_member(folder: Folder, cluster: Cluster, name: str) -> None:
    deadline = clock.monotonic() + _MEMBER_SECONDS
    while trouble := _member_trouble(folder, cluster, name):
        if clock.monotonic() > deadline:
            raise LabError(f"the etcd member of {name} is not healthy after {_MEMBER_SECONDS:.0f} s: {trouble}")
        asyncio.run(clock.sleep(_LOOK_SECONDS))


def _member_trouble(folder: Folder, cluster: Cluster, name: str) -> str:
    """What is wrong with the master's member; empty when it is healthy. While it joins, none may answer in time."""
    try:
        members = host_reach.in_network(folder, lambda: etcd_members.members(cluster, folder.pki))
    except LabError as error:
        return str(error)
    return next((m.trouble for m in members if m.name == name), "it has not started")
