"""What a node agent is told about its node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homeostat.api.flags import Settings
from homeostat.api.types import Obj

COMPONENT = "kubelet"
VERSION = "v1.36.0"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node. `capacity` holds quantities by resource name; what it lacks is filled in from the machine (the
    agent's `machine`). `root` is the folder for volumes, logs and the runtime's state; it is not used by the simulated
    runtime. `roles` become `node-role.kubernetes.io/ROLE` labels."""

    name: str
    address: str
    root: Path
    pod_cidr: str = ""
    static_pod_dir: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Obj, ...] = ()
    roles: tuple[str, ...] = ()
    capacity: Mapping[str, str] = field(default_factory=dict)
    port: int = 10250
    settings: Settings = field(default_factory=Settings)

    def seconds(self, flag: str) -> float:
        """A duration among the kubelet's flags."""
        return self.settings.duration(COMPONENT, flag)

    def number(self, flag: str) -> int:
        """An integer among the kubelet's flags."""
        return self.settings.integer(COMPONENT, flag)
