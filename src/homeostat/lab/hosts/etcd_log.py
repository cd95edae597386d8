"""What the log of a master's etcd member says, read where the node keeps it on the host."""

from __future__ import annotations

import os
from pathlib import Path

from homeostat.cluster import etcd_member
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder

# The end of a log that says why the member ended.
_TAIL_BYTES = 64 << 10


def trouble_of(folder: Folder, node: str) -> etcd_member.Trouble | None:
    """Why the member of master `node` does not start; None when its log says nothing that is known, or is not there."""
    logs = NodeFolder(folder.node(node)).var.glob("log/pods/kube-system_etcd-*/etcd/*.log")
    try:
        newest = max(logs, key=lambda path: path.stat().st_mtime_ns, default=None)
        return None if newest is None else etcd_member.diagnose(node, _tail(newest))
    except OSError:
        # It is being turned over, or belongs to users of the node.
        return None


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return file.read().decode(errors="replace")
