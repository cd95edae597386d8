"""Following docs/guide.md on a cluster of its own, with witnesses, and what is known afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.guide.witnesses import Account, Inside, Kubectl, Outside
from tests.support.console_person import at_the_browser
from tests.support.images import share_images
from tests.support.keeper import Keeper
from tests.support.kubectl import kubectl_path
from tests.support.patience import eventually
from tests.support.tutorial import Reader, Step, Terminal, steps

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide.md"
CUT = "iptables -A OUTPUT -p tcp --dport 443 -j DROP"
# From the end of one command to the moment at which another, typed again and again, printed what the page shows: how
# each begins, and which time it is typed on the page.
RELAUNCHED = ("docker kill", ("docker ps", 1))
MARKED = (CUT, ("kubectl get nodes", 1))
REPLACED = (CUT, ("kubectl get pods -l app=hello --field-selector spec.nodeName=worker-1", 0))
BACK = ("systemctl start kubelet", ("kubectl get node worker-1", 0))
# What may come and go without anybody losing anything.
LASTING = "namespaces,nodes,services,deployments,configmaps,serviceaccounts,pods"
_STEP_SECONDS = 150.0


@dataclass
class Times:
    """How long the cluster takes to act on a silent node, in seconds: as the guide sets it, or Kubernetes' own."""

    marked: tuple[float, float]
    replaced: tuple[float, float]


SHORT = Times(marked=(8, 11), replaced=(18, 21))
DEFAULT = Times(marked=(40, 55), replaced=(340, 355))


@dataclass(repr=False)
class Record:
    """What happened. `moments` are wall-clock seconds, by name."""

    times: Times
    todo: list[Step]
    done: list[Step] = field(default_factory=list)
    trouble: str = ""
    moments: dict[str, float] = field(default_factory=dict)
    clients: dict[str, Account] = field(default_factory=dict)
    kubectl: str = ""
    watched: str = ""
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    containers: dict[str, int] = field(default_factory=dict)

    def step(self, command: str, occurrence: int = 0) -> Step:
        """A step that was followed, by how its command begins. Raises AssertionError."""
        found = [step for step in self.done if step.command.startswith(command)]
        assert len(found) > occurrence, f"the guide was not followed as far as `{command}`"
        return found[occurrence]

    def took(self, start: str, end: tuple[str, int]) -> float:
        """Seconds from the end of one step to the end of another. Raises AssertionError."""
        return self.step(*end).ended - self.step(start).ended

    def times_taken(self) -> list[str]:
        """The guide's own times, as far as it was followed."""
        reported = {
            "after docker kill: the API server had new container IDs": RELAUNCHED,
            "after the cut: the node was marked": MARKED,
            "after the cut: its pods were replaced": REPLACED,
            "after systemctl start kubelet: the node was Ready": BACK,
        }
        return [f"{self.took(*places):.2f} s {what}" for what, places in reported.items() if self._know(places)]

    def _know(self, places: tuple[str, tuple[str, int]]) -> bool:
        begun = [step.command for step in self.done]
        command, occurrence = places[1]
        return sum(each.startswith(command) for each in begun) > occurrence

    def moment(self, name: str) -> float:
        """A moment by its name. Raises AssertionError when it did not come."""
        assert name in self.moments, f"the guide was not followed as far as {name}"
        return self.moments[name]


def short_steps() -> list[Step]:
    """The guide as it is."""
    return steps(GUIDE.read_text())


def default_steps() -> list[Step]:
    """The guide with all `--set` left out, and the patience that this takes."""
    todo = short_steps()
    for step in todo:
        if step.command.startswith("homeostat up"):
            step.command = re.sub(r" \\\n\s+--set \S+", "", step.command)
        if step.within_seconds >= 30:
            step.within_seconds = 400
    return todo


def record() -> Record:
    """What is to be done: the guide as it is, or with Kubernetes' own timings where HOMEOSTAT_GUIDE asks for them."""
    if os.environ.get("HOMEOSTAT_GUIDE") == "kubernetes-times":
        return Record(DEFAULT, default_steps())
    return Record(SHORT, short_steps())


class Follower:
    """Follows the guide in `folder`, a reader's working folder that is this one's alone."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._record = record
        self._folder = folder
        self._environment = _workshop(folder)
        self._keeper = Keeper("guide", self._environment)
        self._kubectl = Kubectl(kubectl_path(), self._environment)
        self._terminal = Terminal(folder, self._environment, folder / "terminal.log")
        self._browser = ExitStack()
        person = self._browser.enter_context(at_the_browser())
        self._reader = Reader(self._terminal, patience_seconds=_STEP_SECONDS, person=person)
        self._running: list[subprocess.Popen[bytes]] = []
        self._outside: Outside | None = None
        self._inside: Inside | None = None

    def follow(self) -> None:
        """Type everything; what goes wrong is recorded."""
        record = self._record
        try:
            for step, following in zip(record.todo, [*record.todo[1:], Step("")], strict=True):
                self._before(step)
                self._reader.follow(step, then=following.node)
                record.done.append(step)
                self._after(step)
        except Exception as error:  # a story's failure is reported by the tests
            record.trouble = f"{type(error).__name__}: {error}"

    def _before(self, step: Step) -> None:
        hooks: dict[str, Callable[[], None]] = {
            "kubectl get pods -n kube-system": self._use_kubectl,
            CUT: self._look_at_objects,
            "kubectl create poddisruptionbudget": self._close_accounts_of_node_failure,
            "kill $CLIENT": self._close_accounts,
        }
        for command, hook in hooks.items():
            if step.command.startswith(command) and command not in self._record.moments:
                self._record.moments[command] = time.time()
                hook()

    def _after(self, step: Step) -> None:
        if step.command == "kubectl get service hello":
            self._start_clients()
        elif step.command.startswith("homeostat why pod/kube-apiserver"):
            self._record.moments["api server over"] = time.time()
            self._end_running()
            self._record.kubectl = (self._folder / "kubectl.log").read_text()
            self._record.watched = (self._folder / "watched.log").read_text()

    def _start_clients(self) -> None:
        names = self._reader.names
        port, network, cluster_ip = names.typed("30299"), names.typed("172.30.0"), names.typed("10.96.119.222")
        clients = [f"balancer={network}.1:{port}", f"node-port={network}.22:{port}"]
        self._outside = Outside(clients, self._folder / "outside.log")
        inside = [f"pod-by-address={cluster_ip}:8080", "pod-by-name=hello.default:8080"]
        self._inside = Inside(self._kubectl, "worker-2", inside)

    def _use_kubectl(self) -> None:
        calls = "while :; do kubectl get nodes -o name && echo worked || echo failed; sleep 0.3; done"
        watch = "while :; do kubectl get pods -n kube-system -w; done"
        self._running.append(self._kubectl.over_and_over(calls, self._folder / "kubectl.log"))
        self._running.append(self._kubectl.over_and_over(watch, self._folder / "watched.log"))

    def _look_at_objects(self) -> None:
        self._record.before = self._kubectl.objects(LASTING)

    def _close_accounts_of_node_failure(self) -> None:
        record = self._record
        record.after = eventually(self._settled, seconds=60)
        assert self._inside is not None
        record.clients |= self._inside.end()
        for node in ("worker-1", "worker-2"):
            argv = ["homeostat", "ssh", "--name", "guide", node, "docker ps -q -f name=k8s_hello_"]
            reported = subprocess.run(argv, env=self._environment, capture_output=True, text=True, timeout=60)
            assert reported.returncode == 0, reported.stderr
            record.containers[node] = len(reported.stdout.split())

    def _settled(self) -> list[dict[str, Any]]:
        """All objects, once nothing is going away any more."""
        objects = self._kubectl.objects(LASTING)
        return [] if any("deletionTimestamp" in obj["metadata"] for obj in objects) else objects

    def _close_accounts(self) -> None:
        assert self._outside is not None
        self._record.clients |= self._outside.end()

    def _end_running(self) -> None:
        for process in self._running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def close(self) -> None:
        """Whatever happened: nothing is left."""
        self._end_running()
        if self._outside is not None:
            self._outside.kill()
        self._browser.close()
        self._terminal.close()
        self._keeper.begin()
        self._keeper.wait()


def _workshop(folder: Path) -> dict[str, str]:
    """An environment of its own: state, kubeconfig and working folder."""
    for name in ("examples", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    tools = folder / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(kubectl_path())
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    share_images(folder / "state" / "homeostat")
    own = {"XDG_STATE_HOME": str(folder / "state"), "KUBECONFIG": str(folder / "kube"), "PWD": str(folder)}
    return {**os.environ, **own, "PATH": path}
