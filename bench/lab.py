"""What a person feels of a lab: how soon it is there, what it costs, how fast it heals.

    python -m bench.lab

It boots a cluster of 3 + 2 under a state folder of its own, starts the sample app, measures, drills, and purges it.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.figures import Row
from homeostat.cluster.lab_orders import Order

COMMAND = str(Path(sys.executable).parent / "homeostat")
HELLO = Path(__file__).parents[1] / "examples" / "hello.yaml"
_SETTLE_SECONDS = 15.0
_IDLE_SECONDS = 20.0
_BOOTS = 3


class Lab:
    """The commands of one user."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.env = {**os.environ, "XDG_STATE_HOME": home, "KUBECONFIG": f"{home}/config", "HOMEOSTAT_NAME": "homeostat"}

    def run(self, *words: str) -> str:
        """Run a command of homeostat; what it prints."""
        done = subprocess.run([COMMAND, *words], env=self.env, capture_output=True, text=True, timeout=180, check=False)
        return done.stdout + done.stderr

    def kubectl(self, *words: str) -> str:
        """Run kubectl; what it prints. Raises CalledProcessError."""
        done = subprocess.run(["kubectl", *words], env=self.env, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def drill(self, name: str) -> dict[str, Any]:
        """Run a drill; its report."""
        report: dict[str, Any] = json.loads(self.run("drill", "run", name, "-o", "json"))[0]
        return report

    def processes(self) -> list[int]:
        """The cluster's processes: the supervisor's whole tree."""
        from homeostat.lab.processes.orders import ask

        supervisor = ask(Path(self.home) / "homeostat" / "homeostat" / "supervisor.sock", Order("status"))["pid"]
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit():
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    children.setdefault(parent, []).append(int(entry.name))
        found, open_ = [], [int(supervisor)]
        while open_:
            found.append(open_.pop())
            open_ += children.get(found[-1], [])
        return found


@contextmanager
def lab() -> Iterator[Lab]:
    """A lab that leaves nothing."""
    with tempfile.TemporaryDirectory() as home:
        made = Lab(home)
        try:
            yield made
        finally:
            made.run("down", "--purge")


def pss_megabytes(pids: list[int]) -> float:
    """The proportional set size of the processes together."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(match.group(1)) if match else 0
    return total / 1024


def cpu_seconds(pids: list[int]) -> float:
    """The processor time of the processes so far."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def boot(made: Lab) -> tuple[float, float]:
    """Seconds until the API answers and until all nodes are Ready, as `up` reports them."""
    printed = made.run("up", "--runtime", "process")
    answers = re.search(r"([\d.]+) s  API answers", printed)
    ready = [float(seconds) for seconds in re.findall(r"([\d.]+) s  node \S+ Ready", printed)]
    if answers is None or len(ready) != 5:
        raise RuntimeError(f"the cluster did not come up: {printed}")
    return float(answers.group(1)), max(ready)


def app_seconds(made: Lab) -> float:
    """Seconds from `kubectl apply` until the sample app answers at its Service."""
    began = time.monotonic()
    made.kubectl("apply", "-f", str(HELLO))
    address = made.kubectl("get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    while time.monotonic() - began < 60:
        with suppress(OSError), urllib.request.urlopen(f"http://{address}:8080/", timeout=1):
            return time.monotonic() - began
        time.sleep(0.01)
    raise RuntimeError("the sample app does not answer")


def rows() -> list[Row]:
    """Measure; one row a figure."""
    boots, apps = [], []
    for _ in range(_BOOTS - 1):
        with lab() as made:
            boots.append(boot(made))
    with lab() as made:
        boots.append(boot(made))
        apps.append(app_seconds(made))
        made.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
        time.sleep(_SETTLE_SECONDS)
        pids = made.processes()
        memory = pss_megabytes(pids)
        before = cpu_seconds(pids)
        time.sleep(_IDLE_SECONDS)
        idle = 100 * (cpu_seconds(pids) - before) / _IDLE_SECONDS
        server, container = made.drill("api-server"), made.drill("container")
    api, ready = (statistics.median(column) for column in zip(*boots, strict=True))
    gap = 1000 * next(client["longestGapSeconds"] for client in server["clients"] if client["name"] == "api")
    relaunch = container["predictions"][0]["seconds"] or float("inf")
    return [
        Row.below("lab: API answers", api, 0.7, "s"),
        Row.below("lab: all five nodes Ready", ready, 2.0, "s"),
        Row.below("lab: sample app answers", ready + apps[0], 3.0, "s"),
        Row.below("lab: memory of 3 + 2, PSS", memory, 300, "MB"),
        Row.below("lab: idle CPU of 3 + 2, of one core", idle, 3.0, "%"),
        Row.below("lab: API server failover, longest gap of an open-loop client", gap, 300, "ms"),
        Row.below("lab: container relaunch, process runtime", relaunch, 0.3, "s"),
    ]


def main() -> None:
    """The command."""
    for row in rows():
        print(row.line())


if __name__ == "__main__":
    main()
