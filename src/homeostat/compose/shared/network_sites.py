"""What is around the network process: nodes that are hosts on a network of their own, or processes of the host."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Protocol

from homeostat.cluster.node_kinds import KUBELET_BEHIND_PORT, KUBELET_PORT, UPLINK_PORT, Node
from homeostat.compose.shared.place import Place
from homeostat.lab.links import host_ports
from homeostat.lab.links.relay import Backend, Relay, bound
from homeostat.lab.links.uplink import Uplinks


class NetworkSite(Protocol):
    """Where the network process is. It asks the API at `endpoints`; node ports listen on `addresses`, by the name of
    the node (empty: the way in from the host); `open_port` listens on a port of the host."""

    endpoints: tuple[str, ...]
    addresses: dict[str, str]
    open_port: Callable[[int], socket.socket]

    async def node_relays(self, uplinks: Uplinks, servers: list[Backend]) -> list[Relay]:
        """Relays for the connections of each node, listening. Raises OSError."""
        ...


class HostNetwork:
    """Nodes that are hosts have a network and a service proxy each. This process is in the lab's network, where it
    represents the load balancer in front of a cluster: ports of the host are opened for it by a process outside."""

    def __init__(self, place: Place) -> None:
        self.endpoints = place.cluster.masters()[0].endpoints
        self.addresses = {"": place.cluster.gateway}
        self.open_port: Callable[[int], socket.socket] = partial(host_ports.asked, place.sockets["host-ports"])

    async def node_relays(self, uplinks: Uplinks, servers: list[Backend]) -> list[Relay]:
        """None: they have cables."""
        return []


class ProcessNetwork:
    """Nodes that are processes: every connection of theirs crosses a relay here, so that it can be cut."""

    def __init__(self, place: Place) -> None:
        self._nodes = place.cluster.nodes()
        self.endpoints: tuple[str, ...] = (f"https://127.0.0.1:{place.cluster.api_port}",)
        self.addresses = {"": host_ports.HOST, **{node.name: node.address for node in self._nodes}}
        self.open_port: Callable[[int], socket.socket] = host_ports.listening

    async def node_relays(self, uplinks: Uplinks, servers: list[Backend]) -> list[Relay]:
        """Each node's way out to the API, and the way in to its kubelet."""
        return [relay for node in self._nodes for relay in await _relays(uplinks, servers, node)]


async def _relays(uplinks: Uplinks, servers: list[Backend], node: Node) -> list[Relay]:
    way_out = Relay(uplinks, servers, origin=node.name)
    await way_out.listen(bound(node.address, UPLINK_PORT))
    way_in = Relay(uplinks, [Backend(node.name, node.address, KUBELET_BEHIND_PORT)])
    await way_in.listen(bound(node.address, KUBELET_PORT))
    return [way_out, way_in]


def network_of(place: Place) -> NetworkSite:
    """The site of the network process."""
    return HostNetwork(place) if place.cluster.kind.are_hosts else ProcessNetwork(place)
