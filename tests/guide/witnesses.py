"""Who looks on while the guide is followed: clients of the app, outside and in a pod, kubectl's user, and a watcher.

Each starts a process and leaves what it saw in a file, so that nothing of it depends on how busy the test is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.patience import eventually

OPEN_LOOP = Path(__file__).with_name("openloop.py")
ROOM = "witness"
IMAGE = "homeostat.local/python:3"
_END_SECONDS = 20


class Failure(NamedTuple):
    """A request that was not answered: who sent it, when (seconds since 1970), how long it took, and what was wrong."""

    client: str
    at: float
    seconds: float
    error: str

    def line(self, zero: float) -> str:
        """For a report; times count from `zero`."""
        return f"{self.client}: sent {self.at - zero:+.3f} s, after {self.seconds:.3f} s: {self.error}"


@dataclass
class Account:
    """What a client did: requests asked and answered, the slowest answer in seconds, and every failure."""

    asked: int = 0
    answered: int = 0
    slowest: float = 0.0
    failures: list[Failure] = field(default_factory=list)


def accounts(lines: Iterable[str]) -> dict[str, Account]:
    """What the open-loop program printed, by client."""
    found: dict[str, Account] = {}
    for line in lines:
        reported = json.loads(line)
        account = found.setdefault(reported["client"], Account())
        if "error" in reported:
            account.failures.append(Failure(**reported))
        else:
            account.asked, account.answered, account.slowest = (
                reported["asked"],
                reported["answered"],
                reported["slowest"],
            )
    return found


def report(found: dict[str, Account], zero: float) -> str:
    """What each client saw, and exactly which of its requests failed."""
    lines = []
    for name, account in sorted(found.items()):
        counts = f"{account.asked} requests, {account.answered} answered, {len(account.failures)} failed"
        lines.append(f"{name}: {counts}; slowest answer {account.slowest:.2f} s")
        lines += [f"  {failure.line(zero)}" for failure in account.failures]
    return "\n".join(lines)


class Outside:
    """The open-loop program beside the cluster; `clients` are NAME=HOST:PORT."""

    def __init__(self, clients: list[str], log: Path) -> None:
        self.log = log
        with log.open("w") as sink:
            self._process = subprocess.Popen([sys.executable, str(OPEN_LOOP), *clients], stdout=sink, stderr=sink)

    def end(self) -> dict[str, Account]:
        """Stop asking; what it saw."""
        self._process.terminate()
        self._process.wait(timeout=_END_SECONDS)
        return accounts(self.log.read_text().splitlines())

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()


class Kubectl:
    """kubectl against one cluster, for the witnesses."""

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self._program = program
        self._environment = environment

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """What the command prints. Raises AssertionError when it fails."""
        done = subprocess.run(
            [self._program, *words], input=stdin, capture_output=True, text=True, env=self._environment, timeout=60
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def objects(self, what: str) -> list[dict[str, Any]]:
        """All objects of these kinds, in all namespaces."""
        items: list[dict[str, Any]] = json.loads(self("get", what, "-A", "-o", "json"))["items"]
        return items

    def over_and_over(self, script: str, log: Path) -> subprocess.Popen[bytes]:
        """A shell that runs `script`, where `kubectl` is this one, until it is killed."""
        environment = {**self._environment, "KUBECTL": self._program}
        with log.open("w") as sink:
            command = ["bash", "-c", f'kubectl() {{ "$KUBECTL" "$@"; }}; {script}']
            return subprocess.Popen(command, stdout=sink, stderr=sink, env=environment, start_new_session=True)


class Inside:
    """The open-loop program in a pod on `node`; `clients` are NAME=HOST:PORT."""

    def __init__(self, kubectl: Kubectl, node: str, clients: list[str]) -> None:
        self._kubectl = kubectl
        code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "open-loop", "namespace": ROOM}}
        code |= {"data": {"openloop.py": OPEN_LOOP.read_text()}}
        container = {"name": "client", "image": IMAGE, "imagePullPolicy": "Never"}
        container |= {"command": ["python3", "/code/openloop.py", *clients]}
        container |= {"volumeMounts": [{"name": "code", "mountPath": "/code"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client", "namespace": ROOM}}
        pod |= {
            "spec": {
                "nodeSelector": {"kubernetes.io/hostname": node},
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 2,
                "containers": [container],
                "volumes": [{"name": "code", "configMap": {"name": "open-loop"}}],
            }
        }
        kubectl("create", "namespace", ROOM)
        eventually(lambda: kubectl("get", "serviceaccount", "default", "-n", ROOM), seconds=20)
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [code, pod]}))
        kubectl("wait", "-n", ROOM, "pod/client", "--for=condition=Ready", "--timeout=40s")

    def end(self) -> dict[str, Account]:
        """What it saw until now; the pod is deleted."""
        seen = accounts(self._kubectl("logs", "-n", ROOM, "client").splitlines())
        self._kubectl("delete", "namespace", ROOM, "--wait=false")
        self._kubectl("wait", "-n", ROOM, "pod/client", "--for=delete", "--timeout=40s")
        return seen
