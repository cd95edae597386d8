"""What a runtime is asked for: a pod's place and its containers, in full. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host that a container sees at `container_path`. An `optional` one is there where it costs
    nothing extra. `propagation` is None, HostToContainer or Bidirectional."""

    container_path: str
    host_path: str
    read_only: bool = False
    optional: bool = False
    propagation: str = "None"


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port of the node that leads to a port of the pod; `host_ip` empty: on all of the node's addresses."""

    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class Dns:
    """The content of a sandbox's resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Security:
    """Who a container runs as and what it may do: a pod's and a container's securityContext, merged. None: the image's
    user. `seccomp` and `apparmor` are RuntimeDefault, Unconfined or Localhost/PATH; capabilities have no CAP_."""

    user: int | None = None
    group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    seccomp: str = "Unconfined"
    apparmor: str = ""
    proc_unmasked: bool = False


@dataclass(frozen=True, slots=True)
class Resources:
    """A container's limits in the kernel's terms. 0: not set; CPU period and quota in microseconds, memory in bytes."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory_limit_bytes: int = 0
    oom_score_adj: int = 0
    cpuset_cpus: str = ""


@dataclass(frozen=True, slots=True)
class ImageAuth:
    """A registry's credentials, as one pull secret gives them."""

    username: str = ""
    password: str = ""
    server: str = ""
    identity_token: str = ""
    registry_token: str = ""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What an exec or attach stream carries."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """A pod's place; `attempt` counts those it has had. A `host_network` pod has the node's address. `log_directory`
    is where its containers' logs are (their `log_path` is below it); `cgroup_parent` where its cgroups are made,
    empty: wherever the runtime likes. `security` and `sysctls` are the pod's own."""

    pod_uid: str
    namespace: str
    name: str
    attempt: int = 0
    hostname: str = ""
    host_network: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    host_pid: bool = False
    host_ipc: bool = False
    share_processes: bool = False
    dns: Dns | None = None
    ports: tuple[PortMapping, ...] = ()
    log_directory: str = ""
    cgroup_parent: str = ""
    security: Security = field(default_factory=Security)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    runtime_handler: str = ""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to create. `attempt` is the pod's restart count of it; `log_path` a CRI log file; `argv` command and
    args together, empty when the image is to decide; `env` in order, without duplicates; `spec_hash` is opaque.

    A runtime with images distinguishes `command` (in place of the image's entry point) and `args` (in place of its
    arguments); it does not look at `argv`. `target_id`: the container whose processes this one sees."""

    name: str
    image: str
    attempt: int = 0
    argv: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""
    stop_signal: str = "SIGTERM"
    spec_hash: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    security: Security = field(default_factory=Security)
    resources: Resources = field(default_factory=Resources)
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    target_id: str = ""
