"""What a node has for those who log in: accounts, homes, and the files of its SSH server; written at each `up`."""

from __future__ import annotations

from pathlib import Path

from homeostat.cluster import node_layout
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder, replace_file
from homeostat.cluster.topology import Cluster
from homeostat.lab.inside import accounts, sshd

# Where logins are recorded; the SSH server complains to who logs in when the first is missing.
_LOGINS = ("lastlog", "wtmp", "btmp")


def write(folder: Folder, cluster: Cluster, node: Node) -> None:
    """Write a node's files; a home's are left as they are once they are there. Raises OSError."""
    own = NodeFolder(folder.node(node.name))
    keys = sshd.prepare(folder.ssh, [sshd.Host(each.name, each.address) for each in cluster.nodes()])
    users = sshd.users_keys(Path.home())
    etc = {
        **accounts.files(node.name, path=node_layout.PATH, cluster=cluster.name),
        **sshd.files(keys, path=node_layout.PATH, users=users),
    }
    for name, (text, mode) in etc.items():
        target = own.etc / name
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, text.encode(), mode=mode, durable=False)
    for name in _LOGINS:
        record = own.var / "log" / name
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch(mode=0o664)
    for home in (own.own("home") / sshd.USER, own.own("root")):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (text, mode) in accounts.home().items():
            if not (home / name).exists():
                replace_file(home / name, text.encode(), mode=mode, durable=False)
