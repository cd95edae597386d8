"""Where things are on a node, and in its folder on the host. Pure data.

A node's root is put together from the host's programs, bound read-only, and folders of the node's own, which lie in its
folder on the host's disk and so outlive the node's power.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TOOLS = "/homeostat/bin"
PATH = f"{TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_SOCKET = "/run/homeostat/init.sock"
# How far this node's clock is off, for the cluster's own programs: a folder, which their containers see as well.
CLOCK = "/run/homeostat/clock"
CLOCK_SHIFT = f"{CLOCK}/shift"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CONTAINERD_CONFIG = "/etc/containerd/config.toml"
KUBERNETES = "/etc/kubernetes"
MANIFESTS = f"{KUBERNETES}/manifests"
STORE = "/var/lib/homeostat"
KUBELET_ROOT = "/var/lib/kubelet"
UNIT_LOGS = "/var/log/units"
# The layers of the images that all nodes started with, which they share.
LAYERS = "/run/homeostat/layers"

# What a node shares with its host: programs and libraries.
SHARED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "opt", "nix", "gnu")
# What a node has of its own, on disk: folder on the host, path on the node, mode.
OWN = (("etc", "/etc", 0o755), ("var", "/var", 0o755), ("root", "/root", 0o700), ("home", "/home", 0o755))
# Below /var, made when they are missing.
VAR = (
    "cache",
    "empty",
    "lib/cni",
    "lib/etcd",
    "lib/homeostat",
    "lib/kubelet",
    "local",
    "log/containers",
    "log/pods",
    "log/units",
    "opt",
    "spool",
    "tmp",
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "kmsg", "net/tun")
# Folders of the host's /etc that a node sees read-only: hundreds of files that belong to the host's programs.
ETC_SEEN = ("alternatives", "ssl/certs")
# What of the host's /etc a node needs for the host's programs to work.
ETC_SHARED = (
    "bash.bashrc",
    "bindresvport.blacklist",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debconf.conf",
    "debian_version",
    "dpkg",
    "ethertypes",
    "gai.conf",
    "host.conf",
    "inputrc",
    "iproute2",
    "issue",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "libaudit.conf",
    "locale.alias",
    "localtime",
    "login.defs",
    "magic",
    "mime.types",
    "netconfig",
    "networks",
    "nftables.conf",
    "nsswitch.conf",
    "os-release",
    "pki",
    "protocols",
    "rpc",
    "services",
    "ssl",
    "terminfo",
    "timezone",
    "xattr.conf",
)


def shared_layers(cluster: Path) -> Path:
    """What the nodes of a cluster see as LAYERS, in the cluster's folder on the host."""
    return cluster / "layers"


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """A node's folder on the host."""

    path: Path

    @property
    def stage(self) -> Path:
        """The empty folder on which the node's root is put together."""
        return self.path / "stage"

    @property
    def etc(self) -> Path:
        """What the node sees as /etc."""
        return self.path / "etc"

    @property
    def var(self) -> Path:
        """What the node sees as /var."""
        return self.path / "var"

    @property
    def kubernetes(self) -> Path:
        """What the node sees as /etc/kubernetes."""
        return self.etc / "kubernetes"

    @property
    def console(self) -> Path:
        """What the node's init writes before it has a root of its own."""
        return self.path / "console.log"

    def own(self, place: str) -> Path:
        """One of the node's own folders, by its name in OWN."""
        return self.path / place
