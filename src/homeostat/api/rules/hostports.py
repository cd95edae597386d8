"""Host ports: which ones a Pod holds on its node, and whether two Pods' host ports conflict. Pure.

The rule of the scheduler and of the kubelet alike (pkg/scheduler/framework/types.go, HostPortInfo): a port clashes with
one of the same number and protocol on the same address; 0.0.0.0 is every address.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

from homeostat.api.rules.containers import lasting_containers
from homeostat.api.rules.ports import protocol_of
from homeostat.api.types import Obj

_EVERY_ADDRESS = "0.0.0.0"


class HostPort(NamedTuple):
    """One port of a node, on one address or on all."""

    protocol: str
    address: str
    number: int


def host_ports(spec: Obj) -> frozenset[HostPort]:
    """The host ports of a Pod's spec while it runs: of app containers and sidecars. Other init containers are over by
    then. Absent defaults (of Pods from files) are filled in."""
    return frozenset(_each(spec))


def clash(wanted: Set[HostPort], held: Set[HostPort]) -> bool:
    """Whether a Pod with the `wanted` ports cannot run beside one that holds others: each port is looked at once."""
    if not wanted or not held:
        return False
    addresses: dict[tuple[str, int], set[str]] = {}
    for protocol, address, number in held:
        addresses.setdefault((protocol, number), set()).add(address)
    for protocol, address, number in wanted:
        taken = addresses.get((protocol, number))
        if taken and (address == _EVERY_ADDRESS or address in taken or _EVERY_ADDRESS in taken):
            return True
    return False


def _each(spec: Obj) -> Iterator[HostPort]:
    for container in lasting_containers(spec):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                address = port.get("hostIP") or _EVERY_ADDRESS
                yield HostPort(protocol_of(port), address, int(port["hostPort"]))
