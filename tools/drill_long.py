"""What `make drill-long` runs: a node is cut off until its pods are replaced, with Kubernetes' own timings.

Where nodes can be hosts the guide is followed word for word (tests/guide), without the flags that shorten it; elsewhere
the drill `node-long` does the same to nodes that are processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from homeostat.lab.hosts import requirements

ROOT = Path(__file__).parents[1]
NAME = "long"


def main() -> int:
    """The exit code."""
    why = requirements.obstacle() or ("" if os.geteuid() == 0 else "only root's shell reaches the nodes' addresses")
    if not why:
        environment = {**os.environ, "HOMEOSTAT_GUIDE": "kubernetes-times"}
        command = ["-m", "pytest", "tests/guide", "-s", "-o", "faulthandler_timeout=1200"]
        return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=False).returncode
    print(f"nodes are processes: {why}")
    homeostat = str(Path(sys.executable).with_name("homeostat"))
    try:
        command = [sys.executable, "-m", "tools.first_drill", NAME, "node-long"]
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    finally:
        subprocess.run([homeostat, "down", "--name", NAME, "--purge"], check=False)


if __name__ == "__main__":
    sys.exit(main())
