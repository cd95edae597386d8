"""Cluster addresses and node ports of Services: each belongs to one Service, whichever API server allocated it.

An address is an IPAddress object named after it, so its creation is the compare and swap that decides (as in
Kubernetes from 1.33 on). Node ports are the keys of one ConfigMap, changed by compare and swap. What a Service no
longer holds is released by `allocation.reclaiming`, which every server runs: it also repairs what a crash left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from homeostat.api import kinds, meta
from homeostat.api.errors import ApiError
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.apiserver.allocation.service_ranges import Range, number_of, text_of
from homeostat.apiserver.contract import Reader, Writer
from homeostat.kit import chance, clock
from homeostat.wire.message import User

# Namespace and name of a Service.
Owner: TypeAlias = tuple[str, str]
_Change: TypeAlias = Callable[[Obj], Obj]

SERVER = User("system:apiserver", ("system:masters",))
PORTS_NAMESPACE, PORTS_NAME = "kube-system", "service-node-ports"
_IP_LABELS = {wellknown.LABEL_IP_FAMILY: "IPv4", wellknown.LABEL_IP_MANAGED_BY: "ipallocator.k8s.io"}

# A reservation whose Service was never created is released after this long: longer than any request takes.
ORPHAN_SECONDS = 90.0


class Taken(Exception):
    """The address or port belongs to another Service."""


class Full(Exception):
    """Nothing is left in the range."""


class Addresses:
    """Gives and takes cluster addresses."""

    def __init__(self, reader: Reader, writer: Writer, addresses: Range) -> None:
        self._reader = reader
        self._writer = writer
        self.range = addresses

    async def reserve(self, owner: Owner, address: int) -> None:
        """Make `address` the owner's. Raises Taken."""
        try:
            await self._writer.create(kinds.IPADDRESS, _ip_address(owner, text_of(address)), user=SERVER)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            await self._take_over(owner, address)

    async def draw(self, owner: Owner) -> int:
        """A free address, now the owner's. Raises Full."""
        held = {number_of(meta.name(found)) for found in self._reader.list(kinds.IPADDRESS)}
        # The very first address is the API's own Service's; it is never allocated at random.
        held.add(self.range.first)
        for address in self.range.candidates(held.__contains__, chance.below):
            try:
                await self.reserve(owner, address)
            except Taken:
                continue
            return address
        raise Full

    async def _take_over(self, owner: Owner, address: int) -> None:
        """Reassign an address that is held by the same Service, or by one that no longer exists, to the owner."""

        def claim(current: Obj) -> Obj:
            holder = holder_of(current)
            if holder != owner and not self._abandoned(current, holder):
                raise Taken
            claimed = _ip_address(owner, meta.name(current))
            # Written again even for the same owner: an upkeep under way must not delete what it read before.
            current["metadata"]["annotations"] = {"homeostat.dev/reserved": clock.now_rfc3339_micro()}
            return {**current, "spec": claimed["spec"]}

        try:
            await self._writer.change(kinds.IPADDRESS, "", text_of(address), claim, user=SERVER)
        except ApiError as error:
            # Gone or changed in between: another one is quicker to find than this one to fight for.
            if error.reason in ("NotFound", "Conflict"):
                raise Taken from error
            raise

    def _abandoned(self, reservation: Obj, holder: Owner) -> bool:
        service = self._reader.get(kinds.SERVICE, *holder)
        if service is not None and meta.name(reservation) in addresses_of(service):
            return False
        return clock.wall() - reserved_at(reservation) > ORPHAN_SECONDS


class NodePorts:
    """Gives and takes node ports."""

    def __init__(self, reader: Reader, writer: Writer, ports: Range) -> None:
        self._reader = reader
        self._writer = writer
        self.range = ports

    async def reserve(self, owner: Owner, wanted: Iterable[int], *, draws: int = 0) -> list[int]:
        """Make `wanted` and `draws` more the owner's; returns the drawn. Raises Taken (with the port) or Full."""
        fixed = list(wanted)
        drawn: list[int] = []

        def claim(current: Obj) -> Obj:
            drawn.clear()
            data = dict(current.get("data") or {})
            for port in fixed:
                if str(port) in data and not self._free(data[str(port)], owner):
                    raise Taken(port)
                data[str(port)] = _entry(owner)
            candidates = self.range.candidates(lambda port: str(port) in data, chance.below)
            for _ in range(draws):
                free = next(candidates, None)
                if free is None:
                    raise Full
                data[str(free)] = _entry(owner)
                drawn.append(free)
            return {**current, "data": data, "metadata": {**current["metadata"], "resourceVersion": ""}}

        await self.change(claim)
        return drawn

    async def change(self, change: _Change) -> None:
        """Change the table of ports, which is made where it is not there."""
        for _ in range(2):
            try:
                await self._writer.change(kinds.CONFIGMAP, PORTS_NAMESPACE, PORTS_NAME, change, user=SERVER)
                return
            except ApiError as error:
                if error.reason != "NotFound":
                    raise
            try:
                await self._writer.create(kinds.CONFIGMAP, _ports_table(), user=SERVER)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise

    def _free(self, entry: str, owner: Owner) -> bool:
        holder, since = parse_entry(entry)
        if holder == owner:
            return True
        return self._reader.get(kinds.SERVICE, *holder) is None and clock.wall() - since > ORPHAN_SECONDS


def addresses_of(service: Obj) -> list[str]:
    """The cluster addresses that a Service holds; none when it is headless or external."""
    spec = service.get("spec") or {}
    held = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in held if address != "None"]


def ports_of(service: Obj) -> list[int]:
    """The node ports that a Service holds."""
    spec = service.get("spec") or {}
    held = [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]
    return [*held, spec["healthCheckNodePort"]] if spec.get("healthCheckNodePort") else held


def holder_of(reservation: Obj) -> Owner:
    """The Service that an IPAddress says it belongs to."""
    parent = (reservation.get("spec") or {}).get("parentRef") or {}
    return parent.get("namespace", ""), parent.get("name", "")


def is_reservation(address: Obj) -> bool:
    """Whether an IPAddress was made here for a Service; those that others made are theirs to remove."""
    return meta.labels(address).get(wellknown.LABEL_IP_MANAGED_BY) == _IP_LABELS[wellknown.LABEL_IP_MANAGED_BY]


def reserved_at(reservation: Obj) -> float:
    """When an IPAddress was made or last taken over."""
    taken_over = meta.annotations(reservation).get("homeostat.dev/reserved")
    return max(meta.created_at(reservation), meta.time_of(taken_over))


def parse_entry(entry: str) -> tuple[Owner, float]:
    """The owner of a port in the table, and since when (epoch seconds)."""
    who, _, since = entry.partition(" ")
    namespace, _, name = who.partition("/")
    return (namespace, name), meta.time_of(since)


def _entry(owner: Owner) -> str:
    return f"{owner[0]}/{owner[1]} {clock.now_rfc3339_micro()}"


def _ip_address(owner: Owner, address: str) -> Obj:
    parent = {"group": "", "resource": "services", "namespace": owner[0], "name": owner[1]}
    metadata = {"name": address, "labels": dict(_IP_LABELS)}
    head: Obj = {"apiVersion": kinds.IPADDRESS.api_version, "kind": "IPAddress", "metadata": metadata}
    return {**head, "spec": {"parentRef": parent}}


def _ports_table() -> Obj:
    metadata = {"name": PORTS_NAME, "namespace": PORTS_NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}
