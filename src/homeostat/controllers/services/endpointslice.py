"""The EndpointSlice loop: the addresses behind each Service, in slices of at most 100 endpoints.

Rules: k8s.io/endpointslice. One set of slices for each address family and each distinct list of ports. Existing slices
are changed as little as possible: an endpoint stays in its slice, changed slices take new endpoints first, and only
what does not fit makes a new slice. A Service without endpoints keeps one empty slice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTSLICE, NODE, POD, SERVICE
from homeostat.api.rules import ownership, wellknown
from homeostat.api.types import Obj
from homeostat.controllers.services import topologyhints
from homeostat.controllers.services.service_pods import (
    Ports,
    addresses_of,
    has_endpoints,
    hostname,
    is_headless,
    ports_of_pods,
    ports_of_slice,
    selected_pods,
    service_keys,
    slice_ports,
    target_reference,
)
from homeostat.loop.contract import Action, Create, Delete, Key, Loop, Update, Watch, World

MANAGER = "endpointslice-controller.k8s.io"
_SAME_NODE = "PreferSameNode"
_RESERVED = frozenset({wellknown.LABEL_SERVICE_NAME, wellknown.LABEL_SLICE_MANAGED_BY, wellknown.LABEL_HEADLESS})


@dataclass(slots=True)
class _Wanted:
    """The endpoints that one list of ports is to have, by Pod uid."""

    family: str
    ports: Ports
    endpoints: dict[str, Obj] = field(default_factory=dict)


def loop(*, endpoints_per_slice_max: int = 100, parallel: int = 5) -> Loop:
    """The loop `endpointslice`."""

    def decide(key: Key, world: World) -> list[Action]:
        service = world.get(SERVICE, *meta.split_key(key))
        if service is None or meta.deleting(service) or not has_endpoints(service):
            return []  # a Service that is gone takes its slices along: they name it as their owner
        return _reconcile(service, world, endpoints_per_slice_max)

    watches = (
        Watch(SERVICE),
        Watch(POD, service_keys),
        Watch(NODE, _node_keys),
        Watch(ENDPOINTSLICE, _slice_keys),
    )
    return Loop("endpointslice", watches, decide, parallel=parallel)


@dataclass(slots=True)
class _Plan:
    """The changes to a Service's slices of one address family."""

    service: Obj
    limit: int
    create: list[Create] = field(default_factory=list)
    update: list[Update] = field(default_factory=list)
    surplus: list[tuple[Obj, str]] = field(default_factory=list)

    def actions(self) -> list[Action]:
        """A slice that would go takes the place of one that would be made: one write for two."""
        reused = [_reuse(item, create) for (item, _), create in zip(self.surplus, self.create, strict=False)]
        count = len(reused)
        deletes = [_delete(item, why) for item, why in self.surplus[count:]]
        return [*self.update, *reused, *self.create[count:], *deletes]


def _reconcile(service: Obj, world: World, limit: int) -> list[Action]:
    existing = [
        item
        for item in world.owned(ENDPOINTSLICE, meta.uid(service))
        if meta.labels(item).get(wellknown.LABEL_SLICE_MANAGED_BY) == MANAGER and not meta.deleting(item)
    ]
    families = service["spec"].get("ipFamilies") or ["IPv4"]
    stray = [item for item in existing if item["addressType"] not in families]
    actions: list[Action] = [_delete(item, "the Service has no such family") for item in stray]
    pods = selected_pods(service, world)
    for family in families:
        plan = _Plan(service, limit)
        slices = [item for item in existing if item["addressType"] == family]
        _plan_family(plan, _wanted(service, family, pods, world), slices)
        actions += plan.actions()
    return actions


def _wanted(service: Obj, family: str, pods: list[Obj], world: World) -> list[_Wanted]:
    """The endpoints to be, by the ports that the Pods serve on."""
    groups: dict[Ports, _Wanted] = {}
    ports_of = ports_of_pods(service)
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    for pod in pods:
        endpoint = _endpoint(family, pod, world, publish=publish)
        if endpoint is None:
            continue
        if name := hostname(pod, service):
            endpoint["hostname"] = name
        if hints := _hints(service, endpoint):
            endpoint["hints"] = hints
        ports = ports_of(pod)
        groups.setdefault(ports, _Wanted(family, ports)).endpoints[meta.uid(pod)] = endpoint
    if topologyhints.wanted(service):
        _share(groups.values(), world)
    # One empty slice says that the Service is known and has nothing behind it.
    return list(groups.values()) or [_Wanted(family, ())]


def _share(groups: Iterable[_Wanted], world: World) -> None:
    """Mean each ready endpoint for a zone, instead of what else the Service may ask for."""
    found = [endpoint for wanted in groups for endpoint in wanted.endpoints.values()]
    ready = [endpoint for endpoint in found if endpoint["conditions"]["ready"]]
    meant = topologyhints.assign([e.get("zone", "") for e in ready], topologyhints.shares(world.list(NODE)))
    for endpoint in found:
        endpoint.pop("hints", None)
    for endpoint, zone in zip(ready, meant, strict=False):
        endpoint["hints"] = {"forZones": [{"name": zone}]}


def _plan_family(plan: _Plan, groups: list[_Wanted], slices: list[Obj]) -> None:
    by_ports: dict[Ports, list[Obj]] = {}
    for item in slices:
        by_ports.setdefault(ports_of_slice(item), []).append(item)
    for wanted in groups:
        _plan_ports(plan, wanted, by_ports.pop(wanted.ports, []))
    for leftover in by_ports.values():
        plan.surplus += [(item, "no Pod has these ports") for item in leftover]


def _plan_ports(plan: _Plan, wanted: _Wanted, slices: list[Obj]) -> None:
    """Match the slices of one list of ports to the wanted endpoints."""
    missing = dict(wanted.endpoints)
    labels = _labels(plan.service)
    dirty: list[tuple[Obj, list[Obj]]] = []
    clean: list[tuple[Obj, list[Obj]]] = []
    for item in slices:
        pair = (item, _kept(item, missing))
        (clean if _unchanged(*pair, labels) else dirty).append(pair)
    fresh = list(missing.values())
    for _, endpoints in dirty:
        _fill(endpoints, fresh, plan.limit)
    # An unchanged slice is touched only when it takes all that is left.
    room = [pair for pair in clean if len(pair[1]) + len(fresh) <= plan.limit] if fresh else []
    if room:
        fullest = max(room, key=lambda pair: len(pair[1]))
        _fill(fullest[1], fresh, plan.limit)
        dirty.append(fullest)
    chunks = [fresh[start : start + plan.limit] for start in range(0, len(fresh), plan.limit)]
    if not slices and not wanted.endpoints:
        chunks = [[]]
    plan.create += [_create(plan.service, wanted, endpoints) for endpoints in chunks]
    survivors = len(clean) + len(chunks) + sum(1 for _, endpoints in dirty if endpoints)
    for item, endpoints in dirty:
        if endpoints or not survivors:
            survivors += 1
            plan.update.append(_update(plan.service, item, endpoints))
        else:
            plan.surplus.append((item, "no endpoint is left in it"))


def _kept(item: Obj, missing: dict[str, Obj]) -> list[Obj]:
    """The endpoints of a slice that are still wanted, as they are to be; they are no longer missing."""
    uids = ((endpoint.get("targetRef") or {}).get("uid", "") for endpoint in item.get("endpoints") or ())
    return [wanted for uid in uids if (wanted := missing.pop(uid, None)) is not None]


def _fill(endpoints: list[Obj], fresh: list[Obj], limit: int) -> None:
    room = max(0, limit - len(endpoints))
    endpoints += fresh[:room]
    del fresh[:room]


def _unchanged(item: Obj, endpoints: list[Obj], labels: dict[str, str]) -> bool:
    return (item.get("endpoints") or []) == endpoints and meta.labels(item) == labels


def _endpoint(family: str, pod: Obj, world: World, *, publish: bool) -> Obj | None:
    """The Pod as an endpoint; None when it has no address of the family, or its node is not known."""
    addresses = [text for text in addresses_of(pod) if (":" in text) == (family == "IPv6")]
    if not addresses:
        return None
    node_name = meta.pod_node(pod)
    node = world.get(NODE, "", node_name) if node_name else None
    if node is None and node_name and not publish:
        return None
    serving, terminating = meta.pod_ready(pod), meta.deleting(pod)
    endpoint: Obj = {
        "addresses": addresses[:1],
        "conditions": {
            "ready": publish or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": target_reference(pod),
    }
    if node_name:
        endpoint["nodeName"] = node_name
    if node is not None and (zone := meta.labels(node).get(wellknown.LABEL_ZONE)):
        endpoint["zone"] = zone
    return endpoint


def _hints(service: Obj, endpoint: Obj) -> Obj:
    """Which zone, or node, a ready endpoint is meant for (KEP-2433, KEP-3015: one for those that are next to it)."""
    nearness = service["spec"].get("trafficDistribution")
    if not nearness or not endpoint["conditions"]["ready"]:
        return {}
    hints: Obj = {}
    if zone := endpoint.get("zone"):
        hints["forZones"] = [{"name": zone}]
    if nearness == _SAME_NODE and (node := endpoint.get("nodeName")):
        hints["forNodes"] = [{"name": node}]
    return hints


def _labels(service: Obj) -> dict[str, str]:
    labels = {name: value for name, value in meta.labels(service).items() if name not in _RESERVED}
    labels |= {wellknown.LABEL_SERVICE_NAME: meta.name(service), wellknown.LABEL_SLICE_MANAGED_BY: MANAGER}
    if is_headless(service):
        labels[wellknown.LABEL_HEADLESS] = ""
    return labels


def _create(service: Obj, wanted: _Wanted, endpoints: list[Obj]) -> Create:
    item: Obj = {
        "apiVersion": ENDPOINTSLICE.api_version,
        "kind": ENDPOINTSLICE.kind,
        "metadata": {
            "generateName": f"{meta.name(service)}-",
            "namespace": meta.namespace(service),
            "labels": _labels(service),
            "ownerReferences": [ownership.controller_reference(SERVICE, service)],
        },
        "addressType": wanted.family,
        "endpoints": endpoints,
        "ports": slice_ports(wanted.ports),
    }
    return Create(ENDPOINTSLICE, item, note=f"{len(endpoints)} endpoints")


def _update(service: Obj, item: Obj, endpoints: list[Obj]) -> Update:
    before, after = (
        {address for endpoint in part if endpoint["conditions"].get("ready") for address in endpoint["addresses"]}
        for part in (item.get("endpoints") or [], endpoints)
    )
    changes = [f"-{address}" for address in sorted(before - after)] + [
        f"+{address}" for address in sorted(after - before)
    ]
    note = "ready: " + " ".join(changes[:8]) if changes else "conditions or labels changed"
    copy = {**item, "metadata": {**item["metadata"], "labels": _labels(service)}, "endpoints": endpoints}
    return Update(ENDPOINTSLICE, copy, note=note)


def _reuse(item: Obj, create: Create) -> Update:
    metadata = {**item["metadata"], "labels": meta.labels(create.obj)}
    return Update(ENDPOINTSLICE, {**create.obj, "metadata": metadata}, note=create.note)


def _delete(item: Obj, why: str) -> Delete:
    return Delete(ENDPOINTSLICE, meta.namespace(item), meta.name(item), uid=meta.uid(item), note=why)


def _slice_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The Service of a slice that this loop keeps."""
    item = new if new is not None else old
    if item is None or meta.labels(item).get(wellknown.LABEL_SLICE_MANAGED_BY) != MANAGER:
        return ()
    name = meta.labels(item).get(wellknown.LABEL_SERVICE_NAME)
    return (f"{meta.namespace(item)}/{name}",) if name else ()


def _node_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """A node that was added, deleted or moved to another zone concerns the Services of its Pods; with its readiness it
    concerns all that share endpoints out among zones."""
    moved = (
        old is None
        or new is None
        or meta.labels(old).get(wellknown.LABEL_ZONE) != meta.labels(new).get(wellknown.LABEL_ZONE)
    )
    found: set[Key] = set()
    if moved or meta.condition_true(old or {}, "Ready") != meta.condition_true(new or {}, "Ready"):
        found.update(meta.key(service) for service in world.list(SERVICE) if topologyhints.wanted(service))
    if moved:
        for pod in world.on_node(POD, meta.name(new or old or {})):
            found.update(service_keys(None, pod, world))
    return sorted(found)
