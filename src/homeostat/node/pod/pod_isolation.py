"""What a node gives to pods that are kept apart: cgroups, names, profiles. The only place that applies the rules
of `isolation` to the files of the node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from homeostat.api import meta, quantity
from homeostat.api.types import Obj
from homeostat.node.isolation import figures, names, sandboxspec
from homeostat.node.isolation.cgroups import Cgroups
from homeostat.node.isolation.names import Resolution, Resolver
from homeostat.node.isolation.sandboxspec import Surrounding
from homeostat.node.isolation.security import Profiles
from homeostat.node.podspec import spec, unsupported
from homeostat.node.podspec.node_config import COMPONENT, NodeConfig
from homeostat.node.volumes.volumes import PodFiles
from homeostat.runtime.contract import Dns, Resources, RuntimeFault, SandboxSpec

_NODE_HOSTS = Path("/etc/hosts")


class PodIsolation:
    """One for a node whose runtime isolates. `memory` and `cpu` are what the node has for pods, quantities."""

    def __init__(self, config: NodeConfig, memory: str, cpu: str = "0") -> None:
        self.cgroups = Cgroups(config.cgroup_root)
        self._config = config
        self._memory = quantity.of(memory).value
        self._cpu_milli = quantity.of(cpu).milli
        self._seccomp = "RuntimeDefault" if config.settings.boolean(COMPONENT, "seccomp-default") else "Unconfined"

    def start(self) -> bool:
        """Make what pods are put into; whether limits can be enforced."""
        return self.cgroups.start(figures.shares(self._cpu_milli) if self._cpu_milli else 0)

    @property
    def profiles(self) -> Profiles:
        """The node's choices of profiles."""
        return Profiles(self._seccomp, str(self._config.root / "seccomp"))

    @property
    def domain(self) -> str:
        """The domain of the cluster's names."""
        return self._config.settings.text(COMPONENT, "cluster-domain")

    def resolution(self, pod: Obj) -> Resolution:
        """How the pod finds names, by what the node's own file says now."""
        path = Path(self._config.settings.text(COMPONENT, "resolv-conf"))
        node = names.parse_resolv_conf(_text(path)) if path.name else Dns(("127.0.0.1",), (".",))
        resolver = Resolver(self._config.words("cluster-dns"), self.domain, node)
        return names.resolution(pod, resolver)

    def place(self, pod: Obj) -> str:
        """Make the pod's cgroup; its path, or empty where nothing is enforced. Raises OSError."""
        if not self.cgroups.available:
            return ""
        path = figures.cgroup_of(pod, meta.uid(pod))
        self.cgroups.make(path, figures.pod_resources(pod))
        return path

    def grow(self, pod: Obj) -> None:
        """Raise the pod's cgroup to its limits as far as the kernel allows now; a limit below the usage waits until
        the containers have shrunk."""
        try:
            self.place(pod)
        except OSError:
            pass

    def sandbox(self, pod: Obj, attempt: int, dns: Dns, cgroup_parent: str, handler: str = "") -> SandboxSpec:
        """What the runtime is asked for, by the `handler` of the pod's class. Raises RuntimeFault."""
        logs = str(PodFiles(self._config, pod, isolates=True).logs)
        around = Surrounding(self._config.name, self.domain, logs, self.profiles)
        refused = unsupported.sandbox_refused(pod)
        if refused:
            raise RuntimeFault("CreatePodSandboxError", refused)
        return replace(sandboxspec.isolated(pod, attempt, around, dns, cgroup_parent), runtime_handler=handler)

    def resources(self, pod: Obj, container: Obj) -> Resources:
        """A container's limits; only its place in the order of ends where nothing else can be enforced."""
        wanted = figures.container_resources(pod, container, self._memory)
        return wanted if self.cgroups.available else Resources(oom_score_adj=wanted.oom_score_adj)

    def hosts(self, pod: Obj, pod_ip: str) -> str:
        """The content of the pod's hosts file."""
        if spec.host_network(pod):
            return names.node_hosts_file(pod, _text(_NODE_HOSTS))
        return names.hosts_file(pod, (pod_ip,), self.domain)

    def share(self, pods: Iterable[Obj]) -> None:
        """Give the Burstable pods together what they ask for together."""
        if self.cgroups.available:
            self.cgroups.share("burstable", figures.burstable_shares(pods))

    def leave(self, pod: Obj) -> bool:
        """Remove the pod's cgroup; whether it is gone."""
        return not self.cgroups.available or self.cgroups.remove(figures.cgroup_of(pod, meta.uid(pod)))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
