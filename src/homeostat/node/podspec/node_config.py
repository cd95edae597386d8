"""What a node agent is configured with: its name, folders, capacity and settings. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.types import Obj

COMPONENT = "kubelet"
VERSION = "v1.36.0"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node. `capacity` holds quantities by resource name; what it lacks is filled in from the machine (the
    agent's `machine`). `root` is the folder for volumes and the runtime's state; it is not used by the simulated
    runtime. `log_root` is where logs are (`/var/log/pods`), below `root` by default; `image_root` is on the file
    system of the images, by default that of `root`; `cgroup_root` is where the kernel shows cgroups."""

    name: str
    address: str
    root: Path
    pod_cidr: str = ""
    static_pod_dir: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Obj, ...] = ()
    capacity: Mapping[str, str] = field(default_factory=dict)
    port: int = 10250
    settings: Settings = field(default_factory=Settings)
    log_root: Path | None = None
    image_root: Path | None = None
    cgroup_root: Path = Path("/sys/fs/cgroup")

    @property
    def logs(self) -> Path:
        """The folder of all containers' logs."""
        return self.log_root or self.root / "logs"

    @property
    def images(self) -> Path:
        """A folder on the file system of the images."""
        return self.image_root or self.root

    def seconds(self, flag: str) -> float:
        """A duration among the kubelet's flags."""
        return self.settings.duration(COMPONENT, flag)

    def number(self, flag: str) -> int:
        """An integer among the kubelet's flags."""
        return self.settings.integer(COMPONENT, flag)

    def words(self, flag: str) -> tuple[str, ...]:
        """A list with commas among the kubelet's flags."""
        return tuple(word.strip() for word in self.settings.text(COMPONENT, flag).split(",") if word.strip())
