"""What a node's own folders hold: written at each `up`, so that a node finds its place in the cluster when it boots."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import orjson

from homeostat.cluster import certificates, etcd_member, node_layout, static_pods
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder, replace_file
from homeostat.cluster.topology import Cluster
from homeostat.lab.images import stock
from homeostat.lab.inside import login, planted_images, rootfs
from homeostat.lab.processes import user_namespace
from homeostat.network.decide.pod_routes import conflist
from homeostat.runtime.cri.containerd_config import ONE_ID_RUNC, EngineConfig, containerd_config

_MTU = 1500


def write(folder: Folder, cluster: Cluster, node: Node) -> None:
    """Make a node's folders and files, leaving what a person changed there where the cluster does not depend on it.

    Raises OSError.
    """
    own = NodeFolder(folder.node(node.name))
    rootfs.make_folders(own)
    _copy_shared(own)
    engine = _engine(own, planted_images.snapshotter(folder.path))
    for path, text in texts(cluster, node, engine).items():
        target = own.etc / path
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, text.encode(), mode=0o644, durable=False)
    login.write(folder, cluster, node)
    kubernetes = own.kubernetes
    if node.control_plane:
        static_pods.write(_static_pods(cluster, node), kubernetes / "manifests")
    certificates.deliver(folder.pki, kubernetes / "pki", cluster, node)
    replace_file(kubernetes / "cluster.json", orjson.dumps(cluster.to_dict()), mode=0o644, durable=False)


def _static_pods(cluster: Cluster, node: Node) -> list[dict[str, Any]]:
    """What a master runs; its etcd member first, since everything waits for it."""
    pods = static_pods.of_host(cluster, node, stock.HOMEOSTAT)
    if cluster.store != "etcd":
        return pods
    members = [etcd_member.Member(each.name, each.address) for each in cluster.masters()]
    own = next(member for member in members if member.name == node.name)
    return [etcd_member.static_pod(own, members, stock.etcd_image()), *pods]


def texts(cluster: Cluster, node: Node, engine: EngineConfig) -> dict[str, str]:
    """Files of a node's /etc by their path in it. Pure."""
    hosts = [f"{each.address}\t{each.name}" for each in cluster.nodes()]
    return {
        "hostname": f"{node.name}\n",
        "hosts": "\n".join(["127.0.0.1\tlocalhost", *hosts]) + "\n",
        "resolv.conf": f"nameserver {cluster.gateway}\n",
        "machine-id": hashlib.md5(f"{cluster.name}/{node.name}".encode(), usedforsecurity=False).hexdigest() + "\n",
        "environment": f"PATH={node_layout.PATH}\n",
        "containerd/config.toml": containerd_config(engine),
        "cni/net.d/10-homeostat.conflist": conflist(node.pod_cidr, _MTU),
    }


def _engine(own: NodeFolder, snapshotter: str) -> EngineConfig:
    """The engine's configuration; without root there are no control groups, and perhaps one user only."""
    rootless = os.geteuid() != 0
    runc = "runc"
    if rootless and not user_namespace.many_users():
        runc = "/etc/containerd/runc"
        script = own.etc / "containerd/runc"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(ONE_ID_RUNC)
        script.chmod(0o755)
    return EngineConfig(
        root="/var/lib/containerd",
        state="/run/containerd",
        socket=node_layout.CONTAINERD_SOCKET,
        sandbox_image=stock.PAUSE,
        snapshotter=snapshotter,
        rootless=rootless,
        cgroups=not rootless,
        runc=runc,
    )


def _copy_shared(own: NodeFolder) -> None:
    """What of the host's /etc a node needs, once."""
    if (own.etc / "ld.so.cache").exists():
        return
    for name in node_layout.ETC_SHARED:
        source, target = Path("/etc", name), own.etc / name
        if source.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=_not_copied)
        elif source.exists():
            shutil.copy2(source, target)


def _not_copied(folder: str, names: list[str]) -> set[str]:
    """What the node sees as it is on the host; and keys and the like: nodes get no file that is not world-readable
    ."""
    found = {name for name in names if f"{folder}/{name}".removeprefix("/etc/") in node_layout.ETC_SEEN}
    for name in names:
        path = Path(folder, name)
        if not path.is_symlink() and not path.stat().st_mode & 0o004:
            found.add(name)
    return found
