"""Each checker names what is wrong: a healthy cluster as data, then one thing broken at a time."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import replace

import pytest

from homeostat.api.types import Obj
from homeostat.kit import clock, virtual
from homeostat.sim.checks import end_state
from homeostat.sim.checks.cluster_view import View
from homeostat.sim.clients.workload import App, Daemon, Wanted
from homeostat.sim.schedule.simulated_user import User
from homeostat.sim.sim_cluster import HASTY, Shape, SimCluster

Break = Callable[[View], View | None]


@functools.cache
def _healthy() -> View:
    async def main() -> View:
        cluster = SimCluster(Shape(workers=2, settings=HASTY))
        await cluster.start()
        user = User(cluster)
        await user.create_namespace("team")
        await user.create_app(App("web", 2))
        await user.create_app(App("shop", 1, namespace="team"))
        await user.create_daemon(Daemon("logs"))
        while end_state.faults(await cluster.view()):
            await clock.sleep(1)
        view = copy.deepcopy(await cluster.view())
        await cluster.stop()
        return view

    return virtual.run(main, seed=1)


def healthy() -> View:
    return copy.deepcopy(_healthy())


def first(view: View, kind: str, name: str = "") -> Obj:
    return next(obj for obj in view.all(kind) if obj["metadata"]["name"].startswith(name))


def without(view: View, kind: str, name: str = "") -> View:
    gone = first(view, kind, name)
    rest = [obj for obj in view.all(kind) if obj is not gone]
    return replace(view, objects={**view.objects, kind: rest})


def doubled(view: View, kind: str, name: str, new_name: str) -> View:
    twin = copy.deepcopy(first(view, kind, name))
    twin["metadata"] |= {"name": new_name, "uid": f"uid-of-{new_name}"}
    return replace(view, objects={**view.objects, kind: [*view.all(kind), twin]})


def not_ready(obj: Obj) -> None:
    next(c for c in obj["status"]["conditions"] if c["type"] == "Ready")["status"] = "False"


def empty_node(view: View, name: str) -> View:
    return replace(view, nodes={**view.nodes, name: replace(view.nodes[name], sandboxes=(), containers=())})


def test_a_healthy_cluster_has_no_fault() -> None:
    assert end_state.faults(healthy()) == []


def scaled(view: View) -> None:
    first(view, "Deployment", "web")["spec"]["replicas"] = 5


def stale_status(view: View) -> None:
    first(view, "Deployment", "web")["status"]["observedGeneration"] = 0


def other_image(view: View) -> None:
    first(view, "Pod", "web")["spec"]["containers"][0]["image"] = "web:v9"


def unready_pod(view: View) -> None:
    not_ready(first(view, "Pod", "web"))


def unready_daemon(view: View) -> None:
    not_ready(first(view, "Pod", "logs"))


def unready_node(view: View) -> None:
    not_ready(first(view, "Node"))


def tainted_node(view: View) -> None:
    first(view, "Node")["spec"]["taints"] = [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]


def unbound_pod(view: View) -> None:
    del first(view, "Pod", "web")["spec"]["nodeName"]


def pod_elsewhere(view: View) -> None:
    first(view, "Pod", "web")["spec"]["nodeName"] = "worker-9"


def orphan_pod(view: View) -> None:
    del first(view, "Pod", "web")["metadata"]["ownerReferences"]


def lost_owner(view: View) -> None:
    first(view, "Pod", "web")["metadata"]["ownerReferences"][0]["uid"] = "nobody"


def other_container(view: View) -> None:
    first(view, "Pod", "web")["status"]["containerStatuses"][0]["containerID"] = "simulated://gone"


def forgotten_endpoint(view: View) -> None:
    first(view, "EndpointSlice", "web")["endpoints"].pop()


def doubled_endpoint(view: View) -> None:
    ends = first(view, "EndpointSlice", "web")["endpoints"]
    ends.append(ends[0])


def stale_endpoints(view: View) -> None:
    first(view, "Endpoints", "web")["subsets"] = []


def deleting(view: View) -> None:
    first(view, "ConfigMap" if view.all("ConfigMap") else "Service", "")["metadata"]["deletionTimestamp"] = "now"


def shared_address(view: View) -> None:
    first(view, "Service", "shop")["spec"]["clusterIP"] = first(view, "Service", "web")["spec"]["clusterIP"]


def gone_namespace(view: View) -> View:
    return without(view, "Namespace", "team")


def stale_lease(view: View) -> None:
    first(view, "Lease", "kube-scheduler")["spec"]["holderIdentity"] = "somebody_else"


def two_leaders(view: View) -> View:
    return replace(view, leaders={**view.leaders, "scheduler": ["scheduler@master-1", "scheduler@master-2"]})


def stale_rules(view: View) -> View:
    return replace(view, rules={**view.rules, "default/web": frozenset({("10.9.9.9", 8080)})})


def rules_of_nobody(view: View) -> View:
    return replace(view, rules={**view.rules, "default/gone": frozenset({("10.9.9.9", 8080)})})


def dead_server(view: View) -> View:
    return replace(view, servers=frozenset(sorted(view.servers)[1:]))


def no_apps_wanted(view: View) -> View:
    return replace(view, wanted=Wanted({}, view.wanted.daemons, view.wanted.namespaces))


BREAKS: dict[str, tuple[Break, str]] = {
    "replicas": (scaled, "Deployment default/web replicas: 5, not 2"),
    "status": (stale_status, "observedGeneration: 0"),
    "image": (other_image, "image: web:v9, not web:v1"),
    "unready": (unready_pod, "ready pods: 1, not 2"),
    "daemon": (unready_daemon, "is not ready"),
    "node": (unready_node, "is not Ready"),
    "taint": (tainted_node, "taints: ['node.kubernetes.io/unreachable']"),
    "unbound": (unbound_pod, "is not bound"),
    "elsewhere": (pod_elsewhere, "is bound to worker-9, which is not there"),
    "no owner": (orphan_pod, "has no controller"),
    "lost owner": (lost_owner, "has lost its owner ReplicaSet"),
    "container": (other_container, "reports a container that does not run"),
    "endpoint gone": (forgotten_endpoint, "EndpointSlices of default/web"),
    "endpoint twice": (doubled_endpoint, "EndpointSlices of default/web"),
    "endpoints": (stale_endpoints, "Endpoints default/web: []"),
    "deleting": (deleting, "is still being deleted"),
    "address": (shared_address, "belongs to 2 Services"),
    "namespace": (gone_namespace, "is left of a namespace that is gone"),
    "lease": (stale_lease, "but the lease names somebody_else"),
    "two leaders": (two_leaders, "leaders of scheduler: 2, not 1"),
    "rules": (stale_rules, "rules of default/web: ['10.9.9.9']"),
    "rules of nobody": (rules_of_nobody, "rules of default/gone, which is not there"),
    "server": (dead_server, "EndpointSlices of default/kubernetes"),
    "wanted": (no_apps_wanted, "Deployments: ['default/web', 'team/shop'], not []"),
    "pod gone": (lambda view: without(view, "Pod", "web"), "pods: 1, not 2"),
    "pod gone, box left": (lambda view: without(view, "Pod", "web"), "keeps a sandbox of pod default/web"),
    "pod twice": (lambda view: doubled(view, "Pod", "web", "web-twin"), "pods: 3, not 2"),
    "daemon gone": (lambda view: without(view, "Pod", "logs"), "DaemonSet default/logs nodes"),
    "slice of nobody": (lambda view: without(view, "Service", "web"), "of default/web, which is not there"),
    "node gone": (lambda view: without(view, "Node"), "Nodes: ['worker-2'], not ['worker-1', 'worker-2']"),
    "no account": (lambda view: without(view, "ServiceAccount", "default"), "has no default ServiceAccount"),
    "nothing runs": (lambda view: empty_node(view, "worker-1"), "running: 0, not 1"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_cluster_is_reported_by_name(name: str) -> None:
    change, expected = BREAKS[name]
    view = healthy()
    found = end_state.faults(change(view) or view)
    assert any(expected in text for text in found), found
