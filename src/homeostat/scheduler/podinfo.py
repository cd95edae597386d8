"""A pod as the scheduler needs it: requests, constraints and selectors, read out of the object once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homeostat.api import meta, quantity, selectors
from homeostat.api.selectors import LabelSelector
from homeostat.api.types import Obj
from homeostat.scheduler.nodeterms import NodeTerm, compile_terms

DEFAULT_SCHEDULER = "default-scheduler"
# What a container that asks for nothing counts as when nodes are compared (NodeResources, non-zero requests).
_NONZERO_CPU_MILLI = 100
_NONZERO_MEMORY_BYTES = 200 * 1024 * 1024

Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PodTerm:
    """One (anti-)affinity term: which pods, in which namespaces (empty: all), within which topology."""

    selector: LabelSelector
    namespaces: frozenset[str]
    topology_key: str
    weight: int = 0
    identity: tuple[str, ...] = ()

    def matches(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is meant."""
        return (not self.namespaces or namespace in self.namespaces) and self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Spread:
    """One topology spread constraint. `hard`: DoNotSchedule."""

    term: PodTerm
    max_skew: int
    min_domains: int
    hard: bool
    honor_taints: bool
    honor_affinity: bool


@dataclass(frozen=True, slots=True)
class PodInfo:
    """See the module. `requests` are milli-CPU for `cpu` and whole units for the rest; `host_ports` are
    (protocol, address, port)."""

    key: str
    uid: str
    namespace: str
    labels: Mapping[str, str]
    owner: str
    priority: int
    requests: Amounts
    nonzero_cpu: int
    nonzero_memory: int
    node_name: str
    node_selector: tuple[tuple[str, str], ...]
    node_required: tuple[NodeTerm, ...] | None
    node_preferred: tuple[tuple[int, NodeTerm], ...]
    tolerations: tuple[Obj, ...]
    affinity: tuple[PodTerm, ...]
    anti_affinity: tuple[PodTerm, ...]
    preferred: tuple[PodTerm, ...]
    spreads: tuple[Spread, ...]
    host_ports: frozenset[tuple[str, str, int]]
    may_preempt: bool
    pod: Obj = field(compare=False, repr=False)


def pod_info(pod: Obj) -> PodInfo:
    """Read a pod."""
    spec = pod["spec"]
    affinity = spec.get("affinity") or {}
    node_affinity = affinity.get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    requests = pod_requests(spec)
    owner = meta.controller_of(pod)
    return PodInfo(
        key=meta.key(pod),
        uid=meta.uid(pod),
        namespace=meta.namespace(pod),
        labels=meta.labels(pod),
        owner=str(owner["uid"]) if owner else "",
        priority=int(spec.get("priority") or 0),
        requests=requests,
        nonzero_cpu=requests.get("cpu") or _NONZERO_CPU_MILLI * len(spec["containers"]),
        nonzero_memory=requests.get("memory") or _NONZERO_MEMORY_BYTES * len(spec["containers"]),
        node_name=str(spec.get("nodeName") or ""),
        node_selector=tuple(sorted((spec.get("nodeSelector") or {}).items())),
        node_required=compile_terms(required["nodeSelectorTerms"]) if required else None,
        node_preferred=_preferred_nodes(node_affinity),
        tolerations=tuple(spec.get("tolerations") or ()),
        affinity=_required(pod, affinity.get("podAffinity")),
        anti_affinity=_required(pod, affinity.get("podAntiAffinity")),
        preferred=_preferred_pods(pod, affinity),
        spreads=tuple(_spread(pod, item) for item in spec.get("topologySpreadConstraints") or ()),
        host_ports=_host_ports(spec),
        may_preempt=spec.get("preemptionPolicy") != "Never",
        pod=pod,
    )


def pod_requests(spec: Obj) -> dict[str, int]:
    """What the pod needs at once: the larger of its init phase and its running phase, plus overhead (KEP-753)."""
    running: dict[str, int] = {}
    for container in spec["containers"]:
        _add(running, _container_requests(container))
    sidecars: dict[str, int] = {}
    starting: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        amounts = _container_requests(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, amounts)
            amounts = dict(sidecars)
        else:
            amounts = dict(amounts)
            _add(amounts, sidecars)
        for name, amount in amounts.items():
            starting[name] = max(starting.get(name, 0), amount)
    _add(running, sidecars)
    for name, amount in starting.items():
        running[name] = max(running.get(name, 0), amount)
    _add(running, _amounts(spec.get("overhead") or {}))
    return {name: amount for name, amount in running.items() if amount}


def _container_requests(container: Obj) -> dict[str, int]:
    return _amounts((container.get("resources") or {}).get("requests") or {})


def _amounts(resources: Mapping[str, str]) -> dict[str, int]:
    return {name: amount_of(name, value) for name, value in resources.items()}


def amount_of(name: str, value: str) -> int:
    """Milli-units of cpu, whole units of anything else."""
    return quantity.cpu_milli(value) if name == "cpu" else quantity.bytes_value(value)


def _add(total: dict[str, int], more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _preferred_nodes(node_affinity: Obj) -> tuple[tuple[int, NodeTerm], ...]:
    items = node_affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple((int(item["weight"]), compile_terms([item["preference"]])[0]) for item in items)


def _required(pod: Obj, affinity: Obj | None) -> tuple[PodTerm, ...]:
    items = (affinity or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(_term(pod, item) for item in items)


def _preferred_pods(pod: Obj, affinity: Obj) -> tuple[PodTerm, ...]:
    found = []
    for part, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        items: Sequence[Obj] = (affinity.get(part) or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        found += [_term(pod, item["podAffinityTerm"], weight=sign * int(item["weight"])) for item in items]
    return tuple(found)


def _term(pod: Obj, item: Obj, *, weight: int = 0) -> PodTerm:
    namespaces = frozenset(item.get("namespaces") or ())
    # An empty namespaceSelector means all namespaces; others are refused by admission of names only.
    if not namespaces and item.get("namespaceSelector") != {}:
        namespaces = frozenset({meta.namespace(pod)})
    return _pod_term(pod, item, namespaces, weight)


def _pod_term(pod: Obj, item: Obj, namespaces: frozenset[str], weight: int = 0) -> PodTerm:
    selector = dict(item.get("labelSelector") or {})
    own = meta.labels(pod)
    keys = [key for key in item.get("matchLabelKeys") or () if key in own]
    if keys:
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **{key: own[key] for key in keys}}
    compiled = selectors.of_label_selector(selector if item.get("labelSelector") is not None else None)
    identity = (repr(sorted(map(repr, compiled.requirements))), *sorted(namespaces))
    return PodTerm(compiled, namespaces, str(item["topologyKey"]), weight, identity)


def _spread(pod: Obj, item: Obj) -> Spread:
    return Spread(
        term=_pod_term(pod, item, frozenset({meta.namespace(pod)})),
        max_skew=int(item["maxSkew"]),
        min_domains=int(item.get("minDomains") or 1),
        hard=item.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
        honor_taints=item.get("nodeTaintsPolicy") == "Honor",
        honor_affinity=item.get("nodeAffinityPolicy", "Honor") == "Honor",
    )


def _host_ports(spec: Obj) -> frozenset[tuple[str, str, int]]:
    ports = [port for container in spec["containers"] for port in container.get("ports") or () if port.get("hostPort")]
    return frozenset((p.get("protocol", "TCP"), p.get("hostIP") or "0.0.0.0", int(p["hostPort"])) for p in ports)
