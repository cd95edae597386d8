"""This network namespace's links, addresses and routes, over netlink. All of it is quick, and blocks meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError

# Which routes are ours: the number that the kernel keeps with a route ("ip route" shows it as `proto 203`).
_PROTOCOL = 203
_INET = 2
_EXISTS, _GONE = 17, 99


class LinkError(Exception):
    """The kernel refused a change, or an address is on no link."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """The link that has an address: its kernel index, its name, its MTU and its hardware address."""

    index: int
    name: str
    mtu: int
    hardware: str


def uplink(address: str) -> Uplink:
    """The link that has this address. Raises LinkError."""
    with IPRoute() as netlink:
        for found in netlink.addr("dump", family=_INET, address=address):
            for link in netlink.link("get", index=found["index"]):
                return Uplink(link["index"], link.get("ifname"), link.get("mtu"), link.get("address"))
    raise LinkError(f"no link has the address {address}")


def route(wanted: Mapping[str, str]) -> list[str]:
    """Make these the routes (a range leads to a gateway): add what is missing, take away those of ours that are not
    among them. What could not be done, in words."""
    trouble: list[str] = []
    with IPRoute() as netlink:
        known = {
            f"{found.get('dst')}/{found['dst_len']}": found.get("gateway")
            for found in netlink.route("dump", family=_INET, proto=_PROTOCOL)
        }
        for target in [target for target in known if target not in wanted]:
            trouble += _tried(netlink, "del", target, known[target])
        for target, gateway in wanted.items():
            if known.get(target) != gateway:
                trouble += _tried(netlink, "replace", target, gateway)
    return trouble


def _tried(netlink: IPRoute, verb: str, target: str, gateway: str) -> list[str]:
    try:
        netlink.route(verb, dst=target, gateway=gateway, proto=_PROTOCOL)
    except NetlinkError as error:
        return [f"route {verb} {target} via {gateway}: {error}"]
    return []


def add_address(uplink: Uplink, address: str) -> None:
    """Give the link one more address, labelled as ours. Raises LinkError."""
    _addressed("add", uplink, address, _EXISTS)


def remove_address(uplink: Uplink, address: str) -> None:
    """Take an address of ours away. Raises LinkError."""
    _addressed("del", uplink, address, _GONE)


def added_addresses(uplink: Uplink) -> set[str]:
    """The addresses of the link that are labelled as ours."""
    with IPRoute() as netlink:
        found = netlink.addr("dump", family=_INET, index=uplink.index)
        return {item.get("address") for item in found if item.get("label") == _label(uplink)}


def _label(uplink: Uplink) -> str:
    """A label begins with the link's name, and has 15 bytes at most."""
    return f"{uplink.name[:12]}:lb"


def _addressed(verb: str, uplink: Uplink, address: str, harmless: int) -> None:
    with IPRoute() as netlink:
        try:
            netlink.addr(verb, index=uplink.index, address=address, prefixlen=32, label=_label(uplink))
        except NetlinkError as error:
            if error.code != harmless:
                raise LinkError(f"address {verb} {address}: {error}") from error


def forward() -> list[str]:
    """Have the kernel forward packets, and show those between Pods of one bridge to the service rules. What could not
    be done, in words."""
    trouble: list[str] = []
    for name in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        file = Path("/proc/sys/net", name)
        try:
            if file.read_text().strip() != "1":
                file.write_text("1")
        except OSError as error:
            trouble.append(f"{file}: {error.strerror}")
    return trouble
