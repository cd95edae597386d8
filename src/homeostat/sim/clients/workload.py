"""The objects that the simulated user writes: apps behind Services, daemons, and all that is wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

PORT = 8080


@dataclass(frozen=True, slots=True)
class App:
    """A Deployment with a Service of the same name, and a disruption budget. Times in seconds, of the simulated
    containers."""

    name: str
    replicas: int = 3
    version: int = 1
    namespace: str = "default"
    strategy: str = "RollingUpdate"
    cpu: str = "100m"
    # At least this many stay available under evictions; below 0: no budget.
    budget: int = -1
    # No node has more than one pod above any other.
    spread: bool = False
    start_seconds: float = 0.2
    ready_seconds: float = 0.5
    stop_seconds: float = 0.3

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A DaemonSet."""

    name: str
    version: int = 1
    namespace: str = "default"

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(slots=True)
class Wanted:
    """Apps and daemons by `namespace/name`, and namespaces besides those that every cluster has."""

    apps: dict[str, App] = field(default_factory=dict)
    daemons: dict[str, Daemon] = field(default_factory=dict)
    namespaces: dict[str, None] = field(default_factory=dict)


def image(name: str, version: int) -> str:
    """The image of a version: what a rollout changes."""
    return f"{name}:v{version}"


def deployment(app: App) -> Obj:
    """The Deployment of an app."""
    container = {
        "name": "main",
        "image": image(app.name, app.version),
        "ports": [{"containerPort": PORT}],
        "resources": {"requests": {"cpu": app.cpu, "memory": "64Mi"}},
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2},
        "livenessProbe": {"tcpSocket": {"port": PORT}, "initialDelaySeconds": 10, "periodSeconds": 5},
    }
    pod: Obj = {"containers": [container], "terminationGracePeriodSeconds": 10}
    if app.spread:
        constraint = {"maxSkew": 1, "topologyKey": wellknown.LABEL_HOSTNAME, "whenUnsatisfiable": "DoNotSchedule"}
        pod["topologySpreadConstraints"] = [constraint | {"labelSelector": {"matchLabels": {"app": app.name}}}]
    annotations = {
        "simulated.homeostat/start-seconds": str(app.start_seconds),
        "simulated.homeostat/ready-seconds": str(app.ready_seconds),
        "simulated.homeostat/stop-seconds": str(app.stop_seconds),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app.name, "namespace": app.namespace},
        "spec": {
            "replicas": app.replicas,
            "selector": {"matchLabels": {"app": app.name}},
            "strategy": {"type": app.strategy},
            "template": {
                "metadata": {"labels": {"app": app.name}, "annotations": annotations},
                "spec": pod,
            },
        },
    }


def budget(app: App) -> Obj:
    """The PodDisruptionBudget of an app."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": app.name, "namespace": app.namespace},
        "spec": {"minAvailable": app.budget, "selector": {"matchLabels": {"app": app.name}}},
    }


def service(app: App) -> Obj:
    """The Service of an app."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app.name, "namespace": app.namespace},
        "spec": {"selector": {"app": app.name}, "ports": [{"port": 80, "targetPort": PORT}]},
    }


def daemon_set(daemon: Daemon) -> Obj:
    """The DaemonSet of a daemon; its pods run on every node that runs, cordoned ones too."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": daemon.name, "namespace": daemon.namespace},
        "spec": {
            "selector": {"matchLabels": {"daemon": daemon.name}},
            "template": {
                "metadata": {"labels": {"daemon": daemon.name}},
                "spec": {"containers": [{"name": "main", "image": image(daemon.name, daemon.version)}]},
            },
        },
    }


def namespace(name: str) -> Obj:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
