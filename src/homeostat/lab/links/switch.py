"""The network between nodes: a bridge in the lab's own network namespace, and a cable from it to each node.

As root a cable leads to the host as well, so that it reaches the nodes' addresses. All of it ends with the namespace:
when the last process in it has ended, the kernel removes the bridge, and both ends of every cable.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Network

from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import LabError

BRIDGE = "homeostat"
_INTERFACE_BYTES_MAX = 15
_HOST_PLACE = 2


def make(network: IPv4Network, services: str) -> None:
    """Make the bridge in this namespace, where all addresses of `services` count as local ones: they are served here to
    clients from outside. Raises LabError."""
    lines = [
        "link set lo up",
        f"route add local {services} dev lo",
        f"link add {BRIDGE} type bridge forward_delay 0",
        f"addr add {network[1]}/{network.prefixlen} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    ]
    _ip(lines, "making the lab's network")


def lay_to_host(interface: str, namespace: int) -> None:
    """Connect a cable from the bridge to the host's `namespace` (a descriptor), where it is called `interface`.

    Raises LabError.
    """
    # `ip` knows a namespace by a path; the descriptor of this process is one.
    target = f"/proc/{os.getpid()}/fd/{namespace}"
    lines = [f"link add host type veth peer name {interface} netns {target}", f"link set host master {BRIDGE} up"]
    _ip(lines, "laying a cable to the host")


def host_side(network: IPv4Network, interface: str) -> None:
    """In the host's namespace: give its end of the cable an address. Raises LabError."""
    address = f"{network[_HOST_PLACE]}/{network.prefixlen}"
    _ip([f"addr add {address} dev {interface}", f"link set {interface} up"], f"joining {network} to the host")


def plug(node: Node, process: int) -> None:
    """Connect a cable from the bridge to the namespace of a node's `process`, where it is called eth0, and know the way
    to the node's pods. Raises LabError."""
    # The end of a node that has just lost its power may still be there.
    _ip([f"link del {port(node.name)}"], "", force=True)
    lines = [
        f"link add {port(node.name)} type veth peer name eth0 netns {process}",
        f"link set {port(node.name)} master {BRIDGE} up",
        f"route replace {node.pod_cidr} via {node.address} dev {BRIDGE}",
    ]
    _ip(lines, f"joining {node.name} to the network")


def node_side(address: str, network: IPv4Network) -> None:
    """In a node's namespace: its own end. Raises LabError."""
    lines = [
        "link set lo up",
        f"addr add {address}/{network.prefixlen} brd + dev eth0",
        "link set eth0 up",
        f"route add default via {network[1]}",
    ]
    _ip(lines, f"giving the node the address {address}")


def part_from_host() -> None:
    """Remove the cable to the host, at once rather than when the kernel comes to it."""
    _ip(["link del host"], "", force=True)


def cut(node: str) -> None:
    """Pull the node's cable. Raises LabError."""
    _ip([f"link set {port(node)} down"], f"cutting {node} off")


def heal(node: str) -> None:
    """Plug it in again. Raises LabError."""
    _ip([f"link set {port(node)} up"], f"joining {node}")


def port(node: str) -> str:
    """The name of a node's port on the bridge."""
    return node[:_INTERFACE_BYTES_MAX]


def _ip(lines: Sequence[str], doing: str, *, force: bool = False) -> None:
    words = ["ip", *(["-force"] if force else []), "-batch", "-"]
    try:
        done = subprocess.run(words, input="\n".join(lines).encode(), capture_output=True, check=False)
    except FileNotFoundError:
        raise LabError("the program `ip` is missing (on Debian: apt-get install iproute2)") from None
    if done.returncode and not force:
        raise LabError(f"{doing} failed: {done.stderr.decode(errors='replace').strip().splitlines()[0]}")
