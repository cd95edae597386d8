"""The drills: for each, how its target is chosen and what the loops are predicted to do. Pure decisions over a World.

The default timings are Kubernetes' (node-monitor-grace-period 50 s, tolerations 300 s); `library` takes the ones that
the cluster was started with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from homeostat.api import meta
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import DEPLOYMENT, ENDPOINTSLICE, LEASE, NODE, POD, SERVICE
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.drill.contract import Drill, DrillError, Prediction, Target
from homeostat.kit.backoff import Backoff
from homeostat.loop.contract import World

APP_NAMESPACE = "default"
APP = "hello"
_SYSTEM = "kube-system"
# The kubelet's crash backoff, by its defaults.
_CRASH = Backoff(first_seconds=10, ceiling_seconds=300)
_QUIET_SECONDS = 600.0
# The fault is injected at least this long after its target was chosen.
_FAULT_SECONDS = 0.5


def library(settings: Settings) -> dict[str, Drill]:
    """All drills by name, with the times that `settings` lead to."""
    grace = settings.duration("controller-manager", "node-monitor-grace-period")
    period = settings.duration("controller-manager", "node-monitor-period")
    toleration = settings.integer("apiserver", "default-unreachable-toleration-seconds")
    drills = [
        *_container_drills(),
        *_control_plane_drills(settings),
        _agent(),
        _power(),
        _cut(grace, period),
        _cut_for_long(grace, period, toleration),
    ]
    return {drill.name: drill for drill in drills}


def _container_drills() -> list[Drill]:
    container = Drill(
        name="container",
        title="A container's process is killed",
        loop="(c) every node runs the containers assigned to it",
        choose=_app_container,
        inject="kill-container",
        predictions=(
            Prediction("the kubelet runs it under a new ID", 3.0, _new_container),
            Prediction("the pod is ready again and back behind its Service", 10.0, _pod_serves),
        ),
    )
    pod = Drill(
        name="pod",
        title="A pod is deleted",
        loop="(a) the right number of containers is running",
        choose=_app_container,
        inject="delete-pod",
        predictions=(
            Prediction("the ReplicaSet has created a replacement", 2.0, _replaced),
            Prediction(
                "all replicas are ready", 15.0, lambda world, target: _replaced(world, target) and app_ready(world)
            ),
        ),
    )
    return [container, pod]


def _control_plane_drills(settings: Settings) -> list[Drill]:
    server = Drill(
        name="api-server",
        title="An API server is killed",
        loop="(c) every node runs the containers assigned to it; its kubelet relaunches the static Pod",
        choose=lambda world: _component(world, "kube-apiserver"),
        inject="kill-container",
        predictions=(
            Prediction("the kubelet runs it under a new ID", 3.0, _new_container),
            Prediction("the API server is ready again", 10.0, _runs_again),
        ),
    )
    lease = settings.duration("controller-manager", "leader-elect-lease-duration")
    retry = settings.duration("controller-manager", "leader-elect-retry-period")
    leaders = [
        Drill(
            name=name,
            title=f"The leading {component} is killed",
            loop="leader election by Lease",
            choose=_leader_of(component),
            inject="kill-container",
            predictions=(
                Prediction("another instance leads", lease + 2 * retry + 1, _new_leader(component)),
                Prediction("the killed one runs again", lease + 15, _runs_again),
            ),
            deadline_seconds=lease + 40,
        )
        for name, component in (
            ("controller-manager", "kube-controller-manager"),
            ("scheduler", "kube-scheduler"),
        )
    ]
    return [server, *leaders]


def _agent() -> Drill:
    return Drill(
        name="node-agent",
        title="A node agent is killed",
        loop="the node's containers run on; its supervisor relaunches the agent",
        choose=_app_node,
        inject="kill-agent",
        predictions=(
            Prediction("its successor renews the node's Lease", 20.0, _lease_renewed),
            Prediction("no container was touched and the node is Ready", 25.0, _untouched),
        ),
    )


def _power() -> Drill:
    return Drill(
        name="node",
        title="A worker loses its power and gets it back",
        loop="(d) traffic goes only to healthy backends, then (c)",
        choose=_spared_node,
        inject="power-off",
        undo="power-on",
        undo_after_seconds=3.0,
        predictions=(
            Prediction("the node's containers run again", 15.0, _node_serves, of_undo=True),
            Prediction("all replicas are ready", 20.0, lambda world, _: app_ready(world), of_undo=True),
        ),
    )


def _cut(grace: float, period: float) -> Drill:
    return Drill(
        name="node-cut",
        title="A worker is cut off, and joined before its pods are evicted",
        loop="node lifecycle: the node is marked, nothing else changes",
        choose=_spared_node,
        inject="cut",
        undo="heal",
        predictions=(
            Prediction("the node is NotReady", grace + period, _node_is("Unknown"), after_seconds=max(0.0, grace - 10)),
            Prediction("the node is Ready again", 5.0, _node_is("True"), of_undo=True),
            Prediction("no pod was evicted", 10.0, _untouched, of_undo=True),
        ),
        deadline_seconds=grace + period + 60,
    )


def _cut_for_long(grace: float, period: float, toleration: float) -> Drill:
    evicted = grace + toleration
    return Drill(
        name="node-long",
        title="A worker is cut off until its pods are replaced",
        loop="(b) every unassigned container is assigned to a healthy node",
        choose=_spared_node,
        inject="cut",
        undo="heal",
        predictions=(
            Prediction("the node is NotReady", grace + period, _node_is("Unknown"), after_seconds=max(0.0, grace - 10)),
            Prediction(
                "the node's pods are replaced on other nodes",
                evicted + period,
                _replaced,
                after_seconds=max(0.0, evicted - 10),
            ),
            Prediction("the node is Ready again", 5.0, _node_is("True"), of_undo=True),
            Prediction("its old pods are gone and all replicas are ready", 60.0, _settled, of_undo=True),
        ),
        deadline_seconds=evicted + 120,
    )


# -- targets -----------------------------------------------------------------------------------------------------------


def app_pods(world: World) -> list[Obj]:
    """The drill app's pods that are not going away."""
    pods = world.list(POD, APP_NAMESPACE)
    return [pod for pod in pods if meta.labels(pod).get("app") == APP and not meta.deleting(pod)]


def app_missing(world: World) -> str:
    """What of the drills' app is not there, and how to make it; empty when all of it is."""
    for kind in (DEPLOYMENT, SERVICE):
        if world.get(kind, APP_NAMESPACE, APP) is None:
            what = f"there is no {kind.kind} {APP!r} in namespace {APP_NAMESPACE!r}"
            return f"drills break a sample app, and {what}: `kubectl apply -f examples/hello.yaml` launches it"
    return ""


def app_ready(world: World) -> bool:
    """Whether the drill app has all its replicas, ready and behind its Service."""
    deployment = world.get(DEPLOYMENT, APP_NAMESPACE, APP)
    if deployment is None:
        return False
    wanted = int(deployment["spec"].get("replicas", 1))
    ready = [pod for pod in app_pods(world) if meta.pod_ready(pod)]
    return len(ready) == wanted == len(app_pods(world)) and len(_served(world)) == wanted


def _app_container(world: World) -> Target:
    ready = [pod for pod in app_pods(world) if meta.pod_ready(pod)]
    if ready:
        pod = _calmest(ready, world.now)
        return _target(pod, pod["spec"]["containers"][0]["name"], world.now)
    raise DrillError(f"no pod of the app {APP!r} is ready; `kubectl apply -f examples/hello.yaml` starts it")


def _app_node(world: World) -> Target:
    workers = {meta.name(node) for node in world.list(NODE) if not _is_control_plane(node)}
    for pod in app_pods(world):
        node = pod["spec"].get("nodeName", "")
        if meta.pod_ready(pod) and node in workers:
            before = _fingerprint(world, node)
            return Target(node, APP_NAMESPACE, meta.name(pod), before=before, at=world.now)
    raise DrillError(f"no worker runs a ready pod of the app {APP!r}")


def _spared_node(world: World) -> Target:
    """A worker without which the app still has a ready pod: its clients must not notice."""
    target = _app_node(world)
    if all(pod["spec"].get("nodeName") == target.node for pod in app_pods(world) if meta.pod_ready(pod)):
        raise DrillError(
            f"all ready pods of the app {APP!r} run on {target.node}: without it nobody could answer; "
            f"`kubectl rollout restart deployment/{APP}` spreads them"
        )
    return target


def _is_control_plane(node: Obj) -> bool:
    return wellknown.LABEL_CONTROL_PLANE in meta.labels(node)


def _component(world: World, component: str) -> Target:
    pods = [pod for pod in world.list(POD, _SYSTEM) if meta.labels(pod).get("component") == component]
    ready = [pod for pod in pods if meta.pod_ready(pod)]
    if ready:
        return _target(_calmest(ready, world.now), component, world.now)
    raise DrillError(f"no {component} Pod is ready in {_SYSTEM}")


def _leader(world: World, component: str) -> str:
    """Who leads, `NODE_UUID`: a relaunched process is another instance, wherever it runs."""
    lease = world.get(LEASE, _SYSTEM, component)
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def _leader_of(component: str) -> Callable[[World], Target]:
    def choose(world: World) -> Target:
        leader = _leader(world, component)
        node = leader.partition("_")[0]
        pod = world.get(POD, _SYSTEM, f"{component}-{node}")
        if pod is None:
            raise DrillError(f"no {component} leads now")
        return replace(_target(pod, component, world.now), before=leader)

    return choose


def _calmest(pods: Sequence[Obj], now: float) -> Obj:
    """The pod whose next restart is held back least; the first of equals."""
    return min(pods, key=lambda pod: _backoff_seconds(pod, now))


def _backoff_seconds(pod: Obj, now: float) -> float:
    """How long the kubelet may wait before the next restart: nothing after ten quiet minutes, else 10 s, doubled for
    each restart but the first, up to 300 s."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    ended = ((statuses[0].get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    restarts = int(statuses[0].get("restartCount") or 0)
    if not restarts or now - meta.time_of(ended) > _QUIET_SECONDS:
        return 0.0
    return _CRASH.delay(restarts - 1)


def _target(pod: Obj, container: str, now: float) -> Target:
    return Target(
        node=pod["spec"].get("nodeName", ""),
        namespace=meta.namespace(pod),
        pod=meta.name(pod),
        container=container,
        container_id=_container_id(pod, container),
        at=now,
        backoff_seconds=_backoff_seconds(pod, now),
    )


# -- what is predicted -------------------------------------------------------------------------------------------------


def _container_id(pod: Obj | None, container: str) -> str:
    for status in ((pod or {}).get("status") or {}).get("containerStatuses") or []:
        if status["name"] == container and "running" in (status.get("state") or {}):
            return str(status.get("containerID") or "")
    return ""


def _new_container(world: World, target: Target) -> bool:
    current = _container_id(world.get(POD, target.namespace, target.pod), target.container)
    return current not in ("", target.container_id)


def _runs_again(world: World, target: Target) -> bool:
    pod = world.get(POD, target.namespace, target.pod)
    return pod is not None and meta.pod_ready(pod) and _new_container(world, target)


def _pod_serves(world: World, target: Target) -> bool:
    return _new_container(world, target) and target.pod in _served(world)


def _served(world: World) -> set[str]:
    names = set()
    for endpoints in world.list(ENDPOINTSLICE, APP_NAMESPACE):
        if meta.labels(endpoints).get(wellknown.LABEL_SERVICE_NAME) != APP:
            continue
        for endpoint in endpoints.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready"):
                names.add((endpoint.get("targetRef") or {}).get("name", ""))
    return names


def _replaced(world: World, target: Target) -> bool:
    deployment = world.get(DEPLOYMENT, APP_NAMESPACE, APP)
    wanted = int(((deployment or {}).get("spec") or {}).get("replicas", 1))
    others = [pod for pod in app_pods(world) if meta.name(pod) != target.pod]
    elsewhere = [pod for pod in others if target.container or pod["spec"].get("nodeName") != target.node]
    return len(elsewhere) >= wanted


def _new_leader(component: str) -> Callable[[World, Target], bool]:
    return lambda world, target: _leader(world, component) not in ("", target.before)


def _node_is(ready: str) -> Callable[[World, Target], bool]:
    def holds(world: World, target: Target) -> bool:
        node = world.get(NODE, "", target.node)
        condition = meta.condition(node, "Ready") if node else None
        return condition is not None and str(condition.get("status")) == ready

    return holds


def _fingerprint(world: World, node: str) -> str:
    pods = [pod for pod in app_pods(world) if pod["spec"].get("nodeName") == node]
    return ",".join(sorted(_container_id(pod, pod["spec"]["containers"][0]["name"]) for pod in pods))


def _untouched(world: World, target: Target) -> bool:
    return _node_is("True")(world, target) and _fingerprint(world, target.node) == target.before


def _node_serves(world: World, target: Target) -> bool:
    current = _fingerprint(world, target.node)
    return _node_is("True")(world, target) and current not in ("", target.before) and "" not in current.split(",")


def _lease_renewed(world: World, target: Target) -> bool:
    lease = world.get(LEASE, "kube-node-lease", target.node)
    renewed = ((lease or {}).get("spec") or {}).get("renewTime")
    return meta.time_of(renewed) > target.at + _FAULT_SECONDS


def _settled(world: World, target: Target) -> bool:
    return world.get(POD, target.namespace, target.pod) is None and app_ready(world)
