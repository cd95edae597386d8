"""Releases the addresses and node ports of deleted Services, and reserves those that Services have.

Every server runs it; preconditions decide between two that act at once. A reservation that was seen in use is released
as soon as its Service no longer uses it; one that never was, only when it is too old to belong to a request.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import kinds, meta
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.apiserver.allocation.service_addresses import (
    ORPHAN_SECONDS,
    PORTS_NAME,
    PORTS_NAMESPACE,
    SERVER,
    Addresses,
    NodePorts,
    Owner,
    Taken,
    addresses_of,
    holder_of,
    is_reservation,
    parse_entry,
    ports_of,
    reserved_at,
)
from homeostat.apiserver.allocation.service_ranges import number_of
from homeostat.apiserver.contract import Reader, Writer
from homeostat.kit import clock
from homeostat.kit.log import logger

_log = logger("apiserver.allocation")
_PERIOD_SECONDS = 1.0
_REPAIR_SECONDS = 30.0


class AllocationUpkeep:
    """See the module; `run` never ends."""

    def __init__(self, reader: Reader, writer: Writer, addresses: Addresses, ports: NodePorts) -> None:
        self._reader = reader
        self._writer = writer
        self._addresses = addresses
        self._ports = ports
        # What the reservation held while its Service was seen to hold it.
        self._seen_addresses: dict[str, str] = {}
        self._seen_ports: dict[str, str] = {}

    async def run(self) -> None:
        """Sweep when Services have changed, and every half minute."""
        stamp: int | None = None
        swept = clock.monotonic()
        while True:
            now = clock.monotonic()
            current = self._reader.revision(kinds.SERVICE)
            if current != stamp or now - swept >= _REPAIR_SECONDS:
                try:
                    await self.sweep()
                    stamp, swept = current, now
                except ApiError as error:
                    _log.warning("reconciling Service addresses failed: %s", error)
            await clock.sleep(_PERIOD_SECONDS)

    async def sweep(self) -> None:
        """Compare reservations with Services once. Raises ApiError when a write fails."""
        services = self._reader.list(kinds.SERVICE)
        by_address = {address: _owner(found) for found in services for address in addresses_of(found)}
        by_port = {str(port): _owner(found) for found in services for port in ports_of(found)}
        await self._sweep_addresses(by_address)
        await self._sweep_ports(by_port)

    async def _sweep_addresses(self, held: Mapping[str, Owner]) -> None:
        missing = dict(held)
        for reservation in self._reader.list(kinds.IPADDRESS):
            address, version = meta.name(reservation), reservation["metadata"]["resourceVersion"]
            holder = missing.pop(address, None)
            if holder is not None and holder == holder_of(reservation):
                self._seen_addresses[address] = version
                continue
            if not is_reservation(reservation):
                continue
            known = self._seen_addresses.get(address) == version
            if known or clock.wall() - reserved_at(reservation) > ORPHAN_SECONDS:
                self._seen_addresses.pop(address, None)
                await self._release(reservation)
        for address, owner in missing.items():
            number = number_of(address)
            if number is not None and number in self._addresses.range:
                try:
                    await self._addresses.reserve(owner, number)
                except Taken:
                    _log.warning("address %s of service %s/%s is reserved for another one", address, *owner)

    async def _release(self, reservation: Obj) -> None:
        metadata = reservation["metadata"]
        preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        try:
            await self._writer.delete(
                kinds.IPADDRESS, "", metadata["name"], user=SERVER, options={"preconditions": preconditions}
            )
        except ApiError as error:
            # Another server was quicker, or the address was taken over: both are fine.
            if error.reason not in ("NotFound", "Conflict"):
                raise

    async def _sweep_ports(self, held: Mapping[str, Owner]) -> None:
        table = self._reader.get(kinds.CONFIGMAP, PORTS_NAMESPACE, PORTS_NAME)
        entries: dict[str, str] = (table or {}).get("data") or {}
        gone: dict[str, str] = {}
        for port, entry in entries.items():
            owner, since = parse_entry(entry)
            if held.get(port) == owner:
                self._seen_ports[port] = entry
            elif self._seen_ports.get(port) == entry or clock.wall() - since > ORPHAN_SECONDS:
                gone[port] = entry
        missing = {port: owner for port, owner in held.items() if port not in entries}
        if gone:
            await self._ports.change(lambda current: _without(current, gone))
        for port, owner in missing.items():
            try:
                await self._ports.reserve(owner, [int(port)])
            except Taken:
                _log.warning("node port %s of service %s/%s is reserved for another one", port, *owner)


def _owner(service: Obj) -> Owner:
    return meta.namespace(service), meta.name(service)


def _without(table: Obj, gone: Mapping[str, str]) -> Obj:
    """The table without the entries that are unchanged since they were read."""
    data = {port: entry for port, entry in (table.get("data") or {}).items() if gone.get(port) != entry}
    return {**table, "data": data, "metadata": {**table["metadata"], "resourceVersion": ""}}
