"""A node's init with small services, in namespaces of its own: run by `unshare`, it becomes their first process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from homeostat.cluster import node_layout
from homeostat.lab.inside.init import Init
from homeostat.lab.inside.units import Unit
from homeostat.lab.processes import orders

UNITS = [
    Unit("containerd", "containerd container runtime", ("sleep", "1000")),
    Unit("kubelet", "Kubernetes node agent", ("kubelet", "--node=n1"), component=True),
    Unit("sshd", "OpenBSD Secure Shell server", ("sh", "-c", "echo no keys; exit 3")),
]


def kubelet(argv: list[str]) -> int:
    """Says that it runs, and waits for its end."""
    print("2027-01-15T08:00:00.5Z I homeostat.kubelet: hello", flush=True)
    signal.signal(signal.SIGUSR1, lambda *_: print("told by SIGUSR1", flush=True))
    for number in (signal.SIGTERM, signal.SIGPWR):  # stopped; or the node shuts down
        signal.signal(number, lambda *_: os._exit(0))
    while True:
        signal.pause()


def main() -> int:
    """The exit code of the init."""
    for folder in ("/run", "/var/log"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    for folder in (Path(node_layout.INIT_SOCKET).parent, Path(node_layout.UNIT_LOGS)):
        folder.mkdir(parents=True)
    return Init(UNITS, orders.bind(Path(node_layout.INIT_SOCKET)), kubelet).run()


if __name__ == "__main__":
    sys.exit(main())
