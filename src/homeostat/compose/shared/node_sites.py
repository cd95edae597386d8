"""Where a node's components find things: on a node that is a host, or in the state folder of one that is a process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from homeostat.cluster import node_layout
from homeostat.cluster.node_kinds import KUBELET_BEHIND_PORT, KUBELET_PORT
from homeostat.compose.shared.place import Place
from homeostat.kit import world


class NodeSite(Protocol):
    """One node, as its own components see it. `kubelet_root` is where its kubelet keeps what it has, `manifests` the
    folder of its static Pods; `log_root` and `image_root` are None where the runtime has them below `kubelet_root`."""

    kubelet_root: Path
    manifests: Path
    log_root: Path | None
    image_root: Path | None
    kubelet_port: int
    # Where its API server listens, and keeps objects where the store is SQLite.
    api_host: str
    sqlite_file: Path
    # Whether nodes have loopback addresses (see `EdgeConfig`).
    loopback_nodes: bool

    def follow_clock(self) -> None:
        """Use the node's own clock, where it has one."""
        ...


class HostSite:
    """A node that is a host: paths as on any machine that kubeadm has set up."""

    kubelet_root = Path(node_layout.KUBELET_ROOT)
    manifests = Path(node_layout.MANIFESTS)
    log_root: Path | None = Path("/var/log/pods")
    image_root: Path | None = Path("/var/lib/containerd")
    # No uplink of ours is in front of it.
    kubelet_port = KUBELET_PORT
    api_host = "0.0.0.0"
    sqlite_file = Path(node_layout.STORE, "store.db")
    loopback_nodes = False

    def follow_clock(self) -> None:
        """The host's, shifted as `homeostat node clock` says."""
        world.follow(Path(node_layout.CLOCK_SHIFT))


class ProcessSite:
    """A node that is a process of the host: everything is in the cluster's state folder."""

    log_root: Path | None = None
    image_root: Path | None = None
    kubelet_port = KUBELET_BEHIND_PORT
    loopback_nodes = True

    def __init__(self, place: Place) -> None:
        self.kubelet_root = place.folder.node(place.here().name)
        self.manifests = self.kubelet_root / "manifests"
        self.api_host = place.here().address
        self.sqlite_file = place.folder.store

    def follow_clock(self) -> None:
        """It is the host's."""


def site_of(place: Place) -> NodeSite:
    """The site of a component that has a node."""
    return HostSite() if place.cluster.kind.are_hosts else ProcessSite(place)
