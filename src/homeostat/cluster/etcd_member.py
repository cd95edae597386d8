"""A master's etcd member: its command line, its static Pod, and what its log means when it will not start. Pure.

Timings: a member that receives nothing from the leader for one to two election timeouts asks for votes, so the election
timeout is most of what the loss of a master costs clients. A leader that receives nothing steps down after as long, and
only then do the others begin to count: a one-way drop costs two to four. A member that is starved for longer than the
election timeout costs an election as well, which delays writes as long and loses nothing; `--pre-vote` keeps one that
was away from costing another when it returns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from homeostat.api.rules import wellknown

CLIENT_PORT, PEER_PORT, METRICS_PORT = 2379, 2380, 2381
DATA, PKI = "/var/lib/etcd", "/etc/kubernetes/pki"
# File names in a master's pki folder, `.crt` and `.key`; the client's is kubeadm's.
AUTHORITY, SERVER, PEER, CLIENT = "etcd-ca", "etcd-server", "etcd-peer", "apiserver-etcd-client"
HEARTBEAT_MS, ELECTION_MS = 50, 250
QUOTA_BYTES = 2 << 30
REQUEST_BYTES_MAX = 8 << 20
# Entries of the log between two snapshots of it: a member's memory holds them, and replays them when it starts.
SNAPSHOT_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name is its node's."""

    name: str
    address: str

    @property
    def peer_url(self) -> str:
        """Where the other members reach it."""
        return f"https://{self.address}:{PEER_PORT}"

    @property
    def client_endpoint(self) -> str:
        """Where API servers reach it (`host:port`)."""
        return f"{self.address}:{CLIENT_PORT}"


def quorum(members: int) -> int:
    """How many of so many must be up for writes and linearizable reads."""
    return members // 2 + 1


def tolerated(members: int) -> int:
    """How many of so many may be lost without losing the quorum."""
    return members - quorum(members)


def command(
    member: Member, members: Sequence[Member], *, joining: bool = False, data: str = DATA, pki: str = PKI
) -> list[str]:
    """The command line of `member`. `joining`: it was added to a cluster that runs (`member add`), and `members` are
    all that the cluster knows by now, itself included; only read while its data folder is empty."""
    listen = f"https://{member.address}:{CLIENT_PORT}"
    initial = ",".join(f"{each.name}={each.peer_url}" for each in members)
    return [
        "etcd",
        f"--name={member.name}",
        f"--data-dir={data}",
        f"--listen-client-urls=https://127.0.0.1:{CLIENT_PORT},{listen}",
        f"--advertise-client-urls={listen}",
        f"--listen-peer-urls={member.peer_url}",
        f"--initial-advertise-peer-urls={member.peer_url}",
        f"--initial-cluster={initial}",
        f"--initial-cluster-state={'existing' if joining else 'new'}",
        f"--listen-metrics-urls=http://127.0.0.1:{METRICS_PORT}",
        f"--trusted-ca-file={pki}/{AUTHORITY}.crt",
        f"--cert-file={pki}/{SERVER}.crt",
        f"--key-file={pki}/{SERVER}.key",
        "--client-cert-auth=true",
        f"--peer-trusted-ca-file={pki}/{AUTHORITY}.crt",
        f"--peer-cert-file={pki}/{PEER}.crt",
        f"--peer-key-file={pki}/{PEER}.key",
        "--peer-client-cert-auth=true",
        *tuning(),
    ]


def tuning() -> list[str]:
    """The flags that are the same on every member, and in tests."""
    return [
        f"--heartbeat-interval={HEARTBEAT_MS}",
        f"--election-timeout={ELECTION_MS}",
        "--pre-vote=true",
        f"--quota-backend-bytes={QUOTA_BYTES}",
        f"--max-request-bytes={REQUEST_BYTES_MAX}",
        f"--snapshot-count={SNAPSHOT_COUNT}",
        # API servers compact (`etcd-compaction-interval`), as with Kubernetes.
        "--auto-compaction-retention=0",
        "--logger=zap",
    ]


def static_pod(member: Member, members: Sequence[Member], image: str, *, joining: bool = False) -> dict[str, Any]:
    """The Pod that a master's kubelet keeps running; kubeadm's shape and probes."""

    def ask(path: str, **timing: int) -> dict[str, Any]:
        where = {"host": "127.0.0.1", "port": METRICS_PORT, "scheme": "HTTP", "path": path}
        return {"httpGet": where, "timeoutSeconds": 10, **timing}

    container = {
        "name": "etcd",
        "image": image,
        "imagePullPolicy": "Never",
        "command": command(member, members, joining=joining),
        "ports": [{"name": "client", "containerPort": CLIENT_PORT, "hostPort": CLIENT_PORT}],
        # Its CPU share on a busy node decides about elections: the same request as the API server's.
        "resources": {"requests": {"cpu": "250m", "memory": "100Mi"}},
        # /health fails without a leader, and a member must not be killed for what others lack. Its figures come from a
        # process that works. (kubeadm asks `/livez`, which etcd has since 3.5.)
        "livenessProbe": ask("/metrics", periodSeconds=10, failureThreshold=4),
        "startupProbe": ask("/health", periodSeconds=1, failureThreshold=300),
        "volumeMounts": [
            {"name": "data", "mountPath": DATA},
            {"name": "certificates", "mountPath": PKI, "readOnly": True},
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "etcd",
            "namespace": "kube-system",
            "labels": {"component": "etcd", "tier": "control-plane"},
        },
        "spec": {
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
            "terminationGracePeriodSeconds": 5,
            "tolerations": [{"operator": "Exists", "effect": wellknown.NO_EXECUTE}],
            "containers": [container],
            "volumes": [
                {"name": "data", "hostPath": {"path": DATA, "type": "DirectoryOrCreate"}},
                {"name": "certificates", "hostPath": {"path": PKI, "type": "Directory"}},
            ],
        },
    }


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a member does not run, from its log: what is wrong, and what to do."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


_REPLACE = "its data cannot be trusted: `homeostat node replace {node}` rebuilds the member from the others"
# What a line of the log holds -> what it means. The first that is found counts.
_KNOWN = [
    (
        r"crc mismatch|cannot use none as id|max entry size limit|wal: (?!file)|proto: ",
        "its log (WAL) is corrupt",
        _REPLACE,
    ),
    (r"failed to open database|invalid database|version mismatch", "its database is corrupt", _REPLACE),
    (r"failed to (?:recover|find).{0,40}snapshot|snap: ", "its snapshot is corrupt or missing", _REPLACE),
    (
        r"(?:data inconsistency|checkInitialHashKV failed|found data inconsistency)",
        "its data differ from the others'",
        _REPLACE,
    ),
    (r"has already been bootstrapped", "its data folder is lost, and the cluster knows the member already", _REPLACE),
    (r"permanently removed from the cluster", "it was removed from the cluster", _REPLACE),
    (r"member count is unequal|unmatched member", "its list of members is not the cluster's", _REPLACE),
    (r"no space left on device", "the node's disk is full", "make room on {node}; it starts by itself then"),
    (r"address already in use", "another process has its port", "end that process on {node}"),
    (
        r"(?:certificate has expired|certificate is not yet valid)",
        "a certificate has expired or the clock of {node} is wrong",
        "`homeostat up` renews certificates",
    ),
]


def diagnose(node: str, log: str) -> Trouble | None:
    """What the log of a member that ended says about why; None when nothing that is known."""
    lines = [line for line in log.splitlines() if '"level":"info"' not in line and '"level":"warn"' not in line]
    # The last start counts: what was wrong before it may have been repaired.
    text = "\n".join(lines[-80:])
    for pattern, what, remedy in _KNOWN:
        if re.search(pattern, text):
            return Trouble(f"etcd on {node}: {what.format(node=node)}", remedy.format(node=node))
    return None
