"""The etcd members of a cluster's masters, for commands: list their health, and replace a lost one.

To be called where the nodes' addresses are: in the lab's network (`lab.links.host_reach`), or as root on its host.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from homeostat.cluster import etcd_member
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import LabError
from homeostat.cluster.topology import Cluster
from homeostat.store.contract import StoreError
from homeostat.store.etcd import admin
from homeostat.store.etcd.members import TlsFiles


def endpoints(cluster: Cluster, first: Node | None = None) -> list[str]:
    """Where the masters' members answer clients, the one on `first` before the others."""
    masters = sorted(cluster.masters(), key=lambda node: first is None or node.name != first.name)
    return [etcd_member.Member(node.name, node.address).client_endpoint for node in masters]


def client_files(pki: Path) -> TlsFiles:
    """What an API server, or a command, shows to etcd."""
    return TlsFiles(
        pki / f"{etcd_member.AUTHORITY}.crt", pki / f"{etcd_member.CLIENT}.crt", pki / f"{etcd_member.CLIENT}.key"
    )


def members(cluster: Cluster, pki: Path) -> list[admin.Member]:
    """All members and their health. Raises LabError when none answers."""
    try:
        return asyncio.run(admin.members_of(endpoints(cluster), client_files(pki)))
    except StoreError as error:
        raise LabError(str(error)) from error


def replace_member(cluster: Cluster, pki: Path, name: str) -> None:
    """Let a new member join in the place of master `name`, whose data are lost. Raises LabError.

    Its data folder must be empty, and its Pod one of `etcd_member.static_pod(..., joining=True)`, before it starts.
    """
    lost = next((node for node in cluster.masters() if node.name == name), None)
    if lost is None:
        raise LabError(f"{name} is no master of cluster {cluster.name!r}: it has no etcd member")
    member = etcd_member.Member(lost.name, lost.address)
    others = [endpoint for endpoint in endpoints(cluster) if endpoint != member.client_endpoint]
    if not others:
        raise LabError(f"{name} is the only master: its etcd member can only come back from a backup")
    try:
        asyncio.run(admin.replace(others, member.name, member.peer_url, client_files(pki)))
    except StoreError as error:
        raise LabError(str(error)) from error
