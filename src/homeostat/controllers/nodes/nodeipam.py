"""The node-ipam loop: every Node has a range for its Pods (pkg/controller/nodeipam, allocator type RangeAllocator).

A node agent that knows its range registers with it; for the others this loop chooses the lowest that is free. A range
never changes once it is set, and belongs to its Node until that is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from homeostat.api import meta
from homeostat.api.kinds import NODE
from homeostat.api.types import Obj
from homeostat.loop.contract import Action, Key, Loop, Patch, Record, Watch, World

ALL = "all"


def loop(cluster_range: str, *, node_prefix: int) -> Loop:
    """The loop `node-ipam`: each node gets a part of `cluster_range` with a prefix of `node_prefix` bits."""
    whole = IPv4Network(cluster_range)

    def decide(key: Key, world: World) -> list[Action]:
        return assign(world.list(NODE), whole, node_prefix)

    return Loop("node-ipam", (Watch(NODE, _keys),), decide, parallel=1, start_keys=(ALL,))


def _keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Look when a Node has no range, or when one has become free."""
    return (ALL,) if new is None or (not _ranges(new) and (old is None or _ranges(old))) else ()


def assign(nodes: Iterable[Obj], whole: IPv4Network, node_prefix: int) -> list[Action]:
    """A range for every Node that has none, in the order of their age."""
    known = sorted(nodes, key=lambda node: (meta.created_at(node), meta.name(node)))
    taken = {number for node in known for text in _ranges(node) for number in _numbers(text, whole, node_prefix)}
    free = (number for number in range(2 ** max(0, node_prefix - whole.prefixlen)) if number not in taken)
    actions: list[Action] = []
    for node in known:
        if _ranges(node) or meta.deleting(node):
            continue
        number = next(free, None)
        if number is None:
            message = f"Node {meta.name(node)} has no Pod range: {whole} has no more parts with {node_prefix} bits"
            actions.append(Record(node, "CIDRNotAvailable", message))
            continue
        start = int(whole.network_address) + (number << (32 - node_prefix))
        text = str(IPv4Network((start, node_prefix)))
        spec = {"podCIDR": text, "podCIDRs": [text]}
        body = {"metadata": {"uid": meta.uid(node)}, "spec": spec}
        actions.append(Patch(NODE, "", meta.name(node), body, note=f"Pods get addresses of {text}"))
    return actions


def _ranges(node: Obj) -> list[str]:
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))


def _numbers(text: str, whole: IPv4Network, node_prefix: int) -> range:
    """The parts of `whole` that a Node's range takes; a range outside it takes none."""
    try:
        found = IPv4Network(text)
    except ValueError:
        return range(0)
    if not found.overlaps(whole):
        return range(0)
    size = 32 - node_prefix
    low = max(int(found.network_address), int(whole.network_address)) - int(whole.network_address)
    high = min(int(found.broadcast_address), int(whole.broadcast_address)) - int(whole.network_address)
    return range(low >> size, (high >> size) + 1)
