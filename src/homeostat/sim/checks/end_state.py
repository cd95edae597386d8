"""Actual = desired: what must hold once all faults are over. Pure functions from a view to what is wrong.

Each names the object and both sides of the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from homeostat.api import meta
from homeostat.api.rules import ownership, wellknown
from homeostat.api.rules.endpoints import is_ready
from homeostat.api.types import Obj
from homeostat.runtime.contract import ContainerState
from homeostat.sim.checks.cluster_view import View
from homeostat.sim.clients import workload

_SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def wanted_objects(view: View) -> Iterable[str]:
    """The API holds what the user asked for, and nothing that the user deleted."""
    wanted = view.wanted
    apps, daemons = _named(view.all("Deployment")), _named(view.all("DaemonSet"))
    namespaces = sorted({*_SYSTEM_NAMESPACES, *wanted.namespaces})
    yield from _differ("namespaces", sorted(_named(view.all("Namespace"))), namespaces)
    yield from _differ("Deployments", sorted(apps), sorted(wanted.apps))
    yield from _differ("DaemonSets", sorted(daemons), sorted(wanted.daemons))
    services = [key for key in _named(view.all("Service")) if key != "default/kubernetes"]
    yield from _differ("Services", sorted(services), sorted(wanted.apps))
    for key in sorted(apps.keys() & wanted.apps.keys()):
        app = wanted.apps[key]
        yield from _differ(f"Deployment {key} replicas", apps[key]["spec"]["replicas"], app.replicas)
        yield from _differ(f"Deployment {key} image", _image(apps[key]), workload.image(app.name, app.version))
    for key in sorted(daemons.keys() & wanted.daemons.keys()):
        daemon = wanted.daemons[key]
        image = workload.image(daemon.name, daemon.version)
        yield from _differ(f"DaemonSet {key} image", _image(daemons[key]), image)


def deployments(view: View) -> Iterable[str]:
    """Every Deployment has its ready replicas at its newest template, in one ReplicaSet, and its status says so."""
    for deployment in view.all("Deployment"):
        name, replicas = f"Deployment {meta.key(deployment)}", deployment["spec"]["replicas"]
        status = deployment.get("status") or {}
        yield from _differ(f"{name} observedGeneration", status.get("observedGeneration"), meta.generation(deployment))
        for count in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
            yield from _differ(f"{name} {count}", status.get(count, 0), replicas)
        yield from _differ(f"{name} unavailableReplicas", status.get("unavailableReplicas", 0), 0)
        sets = [rs for rs in view.all("ReplicaSet") if ownership.controlled_by(rs, deployment)]
        current = [rs for rs in sets if _image(rs) == _image(deployment)]
        yield from _differ(f"{name} ReplicaSets of its template", len(current), 1)
        for rs in sets:
            there = replicas if rs in current else 0
            yield from _differ(f"ReplicaSet {meta.key(rs)} replicas", rs["spec"]["replicas"], there)


def replica_sets(view: View) -> Iterable[str]:
    """Every ReplicaSet has as many pods as it wants, all ready, and its status says so."""
    for rs in view.all("ReplicaSet"):
        name, replicas = f"ReplicaSet {meta.key(rs)}", rs["spec"]["replicas"]
        pods = [pod for pod in view.all("Pod") if ownership.controlled_by(pod, rs) and meta.pod_active(pod)]
        yield from _differ(f"{name} pods", len(pods), replicas)
        yield from _differ(f"{name} ready pods", sum(1 for pod in pods if meta.pod_ready(pod)), replicas)
        status = rs.get("status") or {}
        yield from _differ(f"{name} observedGeneration", status.get("observedGeneration"), meta.generation(rs))
        for count in ("replicas", "readyReplicas", "availableReplicas"):
            yield from _differ(f"{name} {count}", status.get(count, 0), replicas)
        for pod in pods:
            yield from _differ(f"Pod {meta.key(pod)} image", pod["spec"]["containers"][0]["image"], _image(rs))


def daemon_sets(view: View) -> Iterable[str]:
    """Every DaemonSet has one ready pod of its newest template on every node."""
    nodes = sorted(meta.name(node) for node in view.all("Node"))
    for daemon in view.all("DaemonSet"):
        name = f"DaemonSet {meta.key(daemon)}"
        pods = [pod for pod in view.all("Pod") if ownership.controlled_by(pod, daemon)]
        yield from _differ(f"{name} nodes", sorted(meta.pod_node(pod) for pod in pods), nodes)
        for pod in pods:
            if not meta.pod_ready(pod):
                yield f"Pod {meta.key(pod)} is not ready"
            yield from _differ(f"Pod {meta.key(pod)} image", pod["spec"]["containers"][0]["image"], _image(daemon))
        status = daemon.get("status") or {}
        yield from _differ(f"{name} observedGeneration", status.get("observedGeneration"), meta.generation(daemon))
        for count in ("desired", "current", "updated"):
            yield from _differ(f"{name} {count}", status.get(f"{count}NumberScheduled", 0), len(nodes))
        yield from _differ(f"{name} numberReady", status.get("numberReady", 0), len(nodes))
        yield from _differ(f"{name} numberAvailable", status.get("numberAvailable", 0), len(nodes))


def nodes(view: View) -> Iterable[str]:
    """Every node is registered, Ready, not tainted and not cordoned."""
    known = _named(view.all("Node"))
    yield from _differ("Nodes", sorted(known), sorted(view.nodes))
    for name, node in known.items():
        if not meta.condition_true(node, "Ready"):
            yield f"Node {name} is not Ready: {(meta.condition(node, 'Ready') or {}).get('reason')}"
        spec = node.get("spec") or {}
        yield from _differ(f"Node {name} taints", [taint["key"] for taint in spec.get("taints") or []], [])
        if spec.get("unschedulable"):
            yield f"Node {name} is unschedulable"


def bindings(view: View) -> Iterable[str]:
    """Every pod is bound to a node that is there, and has an owner that wants it."""
    known = _named(view.all("Node"))
    for pod in view.all("Pod"):
        if meta.pod_terminal(pod):
            continue
        if not meta.pod_node(pod):
            yield f"Pod {meta.key(pod)} is not bound"
        elif meta.pod_node(pod) not in known:
            yield f"Pod {meta.key(pod)} is bound to {meta.pod_node(pod)}, which is not there"
        if ownership.controller_of(pod) is None:
            yield f"Pod {meta.key(pod)} has no controller"


def runtimes(view: View) -> Iterable[str]:
    """Each node runs exactly its pods' containers, each once, and the pods' status reports the same ones."""
    for name, node in view.nodes.items():
        assigned = {meta.uid(pod): pod for pod in view.all("Pod") if meta.pod_node(pod) == name}
        active = {uid: pod for uid, pod in assigned.items() if not meta.pod_terminal(pod)}
        for box in node.sandboxes:
            if box.spec.pod_uid not in assigned:
                yield f"{name} keeps a sandbox of pod {box.spec.namespace}/{box.spec.name}, which is not there"
        boxes = Counter(box.spec.pod_uid for box in node.sandboxes if box.ready)
        running = [c for c in node.containers if c.state is ContainerState.RUNNING]
        there = Counter((c.pod_uid, c.spec.name) for c in running)
        needed = Counter((uid, c["name"]) for uid, pod in active.items() for c in pod["spec"]["containers"])
        for uid, container in sorted({*there, *needed}):
            what = f"{name} container {container} of pod {meta.key(assigned[uid]) if uid in assigned else uid}"
            yield from _differ(f"{what}: running", there[uid, container], needed[uid, container])
        addresses = {box.spec.pod_uid: box.ip for box in node.sandboxes if box.ready}
        ids = {c.id for c in running}
        for uid, pod in active.items():
            yield from _differ(f"Pod {meta.key(pod)} sandboxes", boxes[uid], 1)
            yield from _differ(f"Pod {meta.key(pod)} podIP", pod["status"].get("podIP"), addresses.get(uid))
            for status in pod["status"].get("containerStatuses", ()):
                if status.get("containerID", "").partition("://")[2] not in ids:
                    yield f"Pod {meta.key(pod)} reports a container that does not run"


def endpoints(view: View) -> Iterable[str]:
    """EndpointSlices, Endpoints and rules hold exactly the ready pods of each Service."""
    by_name = _named(view.all("Endpoints"))
    for service in view.all("Service"):
        key = meta.key(service)
        if key == "default/kubernetes":
            ready = sorted(view.servers)
        else:
            ready = sorted(p["status"]["podIP"] for p in _selected(view, service) if meta.pod_ready(p))
        slices = [
            piece
            for piece in view.all("EndpointSlice")
            if meta.labels(piece).get(wellknown.LABEL_SERVICE_NAME) == meta.name(service)
            and meta.namespace(piece) == meta.namespace(service)
        ]
        ends = [end for piece in slices for end in piece.get("endpoints") or []]
        yield from _differ(f"EndpointSlices of {key}", sorted(end["addresses"][0] for end in ends), ready)
        for end in ends:
            if not is_ready(end):
                yield f"EndpointSlices of {key}: {end['addresses'][0]} is not ready"
        subsets = (by_name.get(key) or {}).get("subsets") or []
        addresses = sorted(address["ip"] for subset in subsets for address in subset.get("addresses") or [])
        yield from _differ(f"Endpoints {key}", addresses, ready)
        yield from _differ(f"rules of {key}", sorted(ip for ip, _ in view.rules.get(key, ())), ready)
    services = {meta.key(service) for service in view.all("Service")}
    for key in sorted(view.rules.keys() - services):
        yield f"rules of {key}, which is not there"
    for piece in view.all("EndpointSlice"):
        key = f"{meta.namespace(piece)}/{meta.labels(piece).get(wellknown.LABEL_SERVICE_NAME)}"
        if key not in services:
            yield f"EndpointSlice {meta.key(piece)} of {key}, which is not there"
    for key in sorted(by_name.keys() - services):
        yield f"Endpoints {key} without a Service"


def deletions(view: View) -> Iterable[str]:
    """Nothing is still being deleted."""
    for kind in sorted(view.objects):
        for obj in view.objects[kind]:
            if meta.deleting(obj):
                yield f"{kind} {meta.key(obj)} is still being deleted, finalizers {meta.finalizers(obj)}"


def owners(view: View) -> Iterable[str]:
    """Every owner that an object names is there."""
    uids = {meta.uid(obj): kind for kind in view.objects for obj in view.objects[kind]}
    for kind in sorted(view.objects):
        if kind == "Event":
            continue
        for obj in view.objects[kind]:
            for reference in ownership.owner_references(obj):
                if uids.get(reference["uid"]) != reference["kind"]:
                    yield f"{kind} {meta.key(obj)} has lost its owner {reference['kind']} {reference['name']}"


def namespaces(view: View) -> Iterable[str]:
    """Nothing is left of a namespace that is gone, and every namespace has its default ServiceAccount."""
    known = _named(view.all("Namespace"))
    for kind in sorted(view.objects):
        for obj in view.objects[kind]:
            if meta.namespace(obj) and meta.namespace(obj) not in known:
                yield f"{kind} {meta.key(obj)} is left of a namespace that is gone"
    accounts = _named(view.all("ServiceAccount"))
    for name in sorted(known):
        if f"{name}/default" not in accounts:
            yield f"namespace {name} has no default ServiceAccount"


def leaders(view: View) -> Iterable[str]:
    """One candidate leads each component, and its name is on the lease."""
    leases = _named(view.all("Lease"))
    for component, leading in view.leaders.items():
        yield from _differ(f"leaders of {component}", len(leading), 1)
        holder = (leases.get(f"kube-system/kube-{component}") or {}).get("spec", {}).get("holderIdentity") or ""
        for name in leading:
            if holder.partition("_")[0] != name.partition("@")[2]:
                yield f"{name} leads, but the lease names {holder or 'nobody'}"


def budgets(view: View) -> Iterable[str]:
    """Every PodDisruptionBudget counts its pods right, and names none as disrupted."""
    for budget in view.all("PodDisruptionBudget"):
        name, status = f"PodDisruptionBudget {meta.key(budget)}", budget.get("status") or {}
        labels = budget["spec"]["selector"]["matchLabels"].items()
        pods = [
            pod
            for pod in view.all("Pod")
            if meta.namespace(pod) == meta.namespace(budget) and labels <= meta.labels(pod).items()
        ]
        ready = sum(1 for pod in pods if meta.pod_ready(pod))
        yield from _differ(f"{name} currentHealthy", status.get("currentHealthy"), ready)
        yield from _differ(f"{name} observedGeneration", status.get("observedGeneration"), meta.generation(budget))
        allowed = max(0, ready - budget["spec"]["minAvailable"])
        yield from _differ(f"{name} disruptionsAllowed", status.get("disruptionsAllowed"), allowed)


def addresses(view: View) -> Iterable[str]:
    """No two Services share a cluster address."""
    taken = Counter(service["spec"].get("clusterIP") for service in view.all("Service"))
    for address, count in sorted(taken.items()):
        if count > 1:
            yield f"cluster address {address} belongs to {count} Services"


Checker = Callable[[View], Iterable[str]]

CHECKERS: tuple[Checker, ...] = (
    wanted_objects,
    deployments,
    replica_sets,
    daemon_sets,
    nodes,
    bindings,
    runtimes,
    endpoints,
    deletions,
    owners,
    namespaces,
    leaders,
    budgets,
    addresses,
)


def faults(view: View) -> list[str]:
    """All that is wrong, each line named by its checker."""
    return [f"{checker.__name__}: {text}" for checker in CHECKERS for text in checker(view)]


def _named(objects: Iterable[Obj]) -> Mapping[str, Obj]:
    return {meta.key(obj): obj for obj in objects}


def _image(owner: Obj) -> str:
    return str(owner["spec"]["template"]["spec"]["containers"][0]["image"])


def _selected(view: View, service: Obj) -> list[Obj]:
    selector = service["spec"].get("selector") or {}
    return [
        pod
        for pod in view.all("Pod")
        if meta.namespace(pod) == meta.namespace(service)
        and not meta.deleting(pod)
        and not meta.pod_terminal(pod)
        and selector.items() <= meta.labels(pod).items()
    ]


def _differ(what: str, actual: object, desired: object) -> Iterable[str]:
    if actual != desired:
        yield f"{what}: {actual}, not {desired}"
