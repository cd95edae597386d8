"""The loop that mirrors Endpoints which a person or a program wrote into EndpointSlices: proxies read nothing else.

Rules: pkg/controller/endpointslicemirroring. Only of Services without a selector (the others have slices of their own),
and not where a label asks to be left alone or where the object is the lock of a leader election. One slice for each
address family and each list of ports; at most 1,000 addresses of each subset, the ready ones first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTS, ENDPOINTSLICE, SERVICE
from homeostat.api.rules import ownership, wellknown
from homeostat.api.rules.ports import port_name, protocol_of
from homeostat.api.types import Obj
from homeostat.controllers.services.service_pods import Ports, ports_of_slice, slice_ports
from homeostat.loop.contract import Action, Create, Delete, Key, Loop, Record, Update, Watch, World

MANAGER = "endpointslicemirroring-controller.k8s.io"
# About the Endpoints object itself, not about what it holds.
_NOT_COPIED = frozenset({wellknown.ANNOTATION_LAST_CHANGE, wellknown.ANNOTATION_LAST_APPLIED})

_Group: TypeAlias = tuple[str, Ports]


@dataclass(slots=True)
class _Wanted:
    """What the slices are to hold, by address family and ports, and then by address; how many addresses were left out,
    and why."""

    groups: dict[_Group, dict[str, Obj]] = field(default_factory=dict)
    invalid: int = 0
    beyond: int = 0


def loop(*, addresses_per_subset_max: int = 1000) -> Loop:
    """The loop `endpointslicemirroring`."""

    def decide_with_limit(key: Key, world: World) -> list[Action]:
        return decide(key, world, addresses_per_subset_max)

    watches = (Watch(ENDPOINTS), Watch(SERVICE), Watch(ENDPOINTSLICE, _slice_keys))
    return Loop("endpointslicemirroring", watches, decide_with_limit, parallel=5)


def decide(key: Key, world: World, addresses_per_subset_max: int) -> list[Action]:
    """Make the mirrored slices of a Service match its Endpoints; delete them where nothing is to be mirrored."""
    namespace, name = meta.split_key(key)
    endpoints = world.get(ENDPOINTS, namespace, name)
    existing = _mirrored(namespace, name, endpoints, world)
    if endpoints is None or not _to_be_mirrored(endpoints, world.get(SERVICE, namespace, name)):
        return [_delete(item, "nothing is to be mirrored") for item in existing]
    wanted = _wanted(endpoints, addresses_per_subset_max)
    writes = _writes(endpoints, wanted.groups, existing)
    return [*_complaints(endpoints, wanted, addresses_per_subset_max), *writes] if writes else []


def _mirrored(namespace: str, name: str, endpoints: Obj | None, world: World) -> list[Obj]:
    """The slices that this loop made for the Service. Those of deleted Endpoints are found by label."""
    if endpoints is not None:
        found: Sequence[Obj] = world.owned(ENDPOINTSLICE, meta.uid(endpoints))
    else:
        found = world.list(ENDPOINTSLICE, namespace)
    return [item for item in found if _service_of(item) == name and not meta.deleting(item)]


def _to_be_mirrored(endpoints: Obj, service: Obj | None) -> bool:
    if service is None or service["spec"].get("selector"):
        return False
    if meta.labels(endpoints).get(wellknown.LABEL_SKIP_MIRROR) == "true":
        return False
    return wellknown.ANNOTATION_LEADER not in meta.annotations(endpoints)


def _wanted(endpoints: Obj, addresses_per_subset_max: int) -> _Wanted:
    wanted = _Wanted()
    for subset in endpoints.get("subsets") or ():
        ports = tuple(_port(port) for port in subset.get("ports") or ())
        left = addresses_per_subset_max
        for address, ready in _addresses(subset):
            family = _family(address["ip"])
            group = wanted.groups.setdefault((family, ports), {}) if family else {}
            if not left or len(group) >= addresses_per_subset_max:
                wanted.beyond += 1
            elif not family:
                wanted.invalid += 1
            else:
                group.setdefault(address["ip"], _endpoint(address, ready=ready))
                left -= 1
    wanted.groups = {group: found for group, found in wanted.groups.items() if found}
    return wanted


def _addresses(subset: Obj) -> Iterator[tuple[Obj, bool]]:
    """Ready ones first."""
    for name, ready in (("addresses", True), ("notReadyAddresses", False)):
        for address in subset.get(name) or ():
            yield address, ready


def _family(text: str) -> str:
    """IPv4 or IPv6; empty for what is no address."""
    try:
        return f"IPv{ip_address(text).version}"
    except ValueError:
        return ""


def _port(port: Obj) -> tuple[str, str, int, str]:
    return port_name(port), protocol_of(port), int(port["port"]), port.get("appProtocol") or ""


def _endpoint(address: Obj, *, ready: bool) -> Obj:
    endpoint: Obj = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    return endpoint | {name: address[name] for name in ("hostname", "nodeName", "targetRef") if address.get(name)}


def _writes(endpoints: Obj, groups: dict[_Group, dict[str, Obj]], existing: list[Obj]) -> list[Action]:
    """The first slice of each group is made to hold all of it; what is left over is deleted."""
    by_group: dict[_Group, list[Obj]] = {}
    for item in existing:
        by_group.setdefault((item["addressType"], ports_of_slice(item)), []).append(item)
    writes: list[Action] = []
    surplus: list[Obj] = []
    for group, found in groups.items():
        present = by_group.pop(group, [])
        surplus += present[1:]
        slice_ = _slice(endpoints, group, list(found.values()))
        if not present:
            writes.append(Create(ENDPOINTSLICE, slice_, note=f"{len(found)} endpoints"))
        elif not _same(present[0], slice_):
            copied = {field: slice_["metadata"].get(field, {}) for field in ("labels", "annotations")}
            metadata = {**present[0]["metadata"], **copied}
            writes.append(Update(ENDPOINTSLICE, {**slice_, "metadata": metadata}, note=f"{len(found)} endpoints"))
    surplus += [item for items in by_group.values() for item in items]
    return writes + [_delete(item, "no subset is like this") for item in surplus]


def _slice(endpoints: Obj, group: _Group, found: list[Obj]) -> Obj:
    family, ports = group
    name = meta.name(endpoints)
    annotations = {key: value for key, value in meta.annotations(endpoints).items() if key not in _NOT_COPIED}
    metadata: Obj = {
        "generateName": f"{name}-",
        "namespace": meta.namespace(endpoints),
        "labels": {
            **meta.labels(endpoints),
            wellknown.LABEL_SERVICE_NAME: name,
            wellknown.LABEL_SLICE_MANAGED_BY: MANAGER,
        },
        "ownerReferences": [ownership.controller_reference(ENDPOINTS, endpoints)],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": ENDPOINTSLICE.api_version,
        "kind": ENDPOINTSLICE.kind,
        "metadata": metadata,
        "addressType": family,
        "endpoints": found,
        "ports": slice_ports(ports),
    }


def _same(present: Obj, wanted: Obj) -> bool:
    """Whether nothing is to be written. The order of addresses means nothing."""
    if meta.labels(present) != meta.labels(wanted) or meta.annotations(present) != meta.annotations(wanted):
        return False
    before, after = (
        {endpoint["addresses"][0]: endpoint for endpoint in item.get("endpoints") or ()} for item in (present, wanted)
    )
    return before == after


def _complaints(endpoints: Obj, wanted: _Wanted, addresses_per_subset_max: int) -> Iterator[Record]:
    if wanted.beyond:
        text = f"A max of {addresses_per_subset_max} addresses can be mirrored to EndpointSlices per Endpoints subset. "
        text += f"{wanted.beyond} addresses were skipped"
        yield Record(endpoints, "TooManyAddressesToMirror", text, "Warning")
    if wanted.invalid:
        text = f"Skipped {wanted.invalid} invalid IP addresses when mirroring to EndpointSlices"
        yield Record(endpoints, "InvalidIPAddress", text, "Warning")


def _delete(item: Obj, why: str) -> Delete:
    return Delete(ENDPOINTSLICE, meta.namespace(item), meta.name(item), uid=meta.uid(item), note=why)


def _service_of(item: Obj) -> str:
    """The Service of a slice that this loop made; empty for other slices."""
    labels = meta.labels(item)
    is_ours = labels.get(wellknown.LABEL_SLICE_MANAGED_BY) == MANAGER
    return labels.get(wellknown.LABEL_SERVICE_NAME, "") if is_ours else ""


def _slice_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    item = new if new is not None else old
    name = _service_of(item) if item is not None else ""
    return (f"{meta.namespace(item)}/{name}",) if item is not None and name else ()
