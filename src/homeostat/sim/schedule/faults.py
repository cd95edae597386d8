"""The faults and changes that a schedule is made of: pure data, each with its moment and in words.

`at_seconds` counts from the schedule's begin; `seconds` is how long a fault lasts, it undoes itself then. `pick`
chooses among what is there when it happens (pods, running containers): that many, modulo their number.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

Way: TypeAlias = Literal["kill", "stop", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that happens at a moment."""

    at_seconds: float

    def text(self) -> str:
        """`kill-container pick=7`."""
        words = "".join(f"-{char.lower()}" if char.isupper() else char for char in type(self).__name__).lstrip("-")
        values = {known.name: getattr(self, known.name) for known in fields(self) if known.name != "at_seconds"}
        return " ".join([words, *(f"{name}={_plain(value)}" for name, value in values.items())])


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class KillContainer(Fault):
    """A running container's process dies (`kill -9`)."""

    pick: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeContainer(Fault):
    """A running container hangs for `seconds`: probes time out, signals have no effect."""

    pick: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePod(Fault):
    """The user deletes a pod; `grace_seconds` below 0 leaves its own grace."""

    pick: int
    grace_seconds: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class KillApiServer(Fault):
    """An API server dies and comes back fresh after `seconds`."""

    server: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseLeader(Fault):
    """The leading candidate of `component` dies, ends in good order, or is cut off; a new process after `seconds`."""

    component: str
    way: Way
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAgent(Fault):
    """A node's agent dies and a new one comes after `seconds`; containers run on."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot(Fault):
    """A node restarts: its agent and all its containers are gone, the agent comes back after `seconds`."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CutNode(Fault):
    """A node is cut off from the API and from the clients for `seconds`."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakRuntime(Fault):
    """A node's container runtime does not answer for `seconds`."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Fault):
    """The user cordons a node, evicts its pods, and uncordons it after `seconds`."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNode(Fault):
    """The user deletes the Node object of a node whose agent runs."""

    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonNode(Fault):
    """A node's agent dies, the user force-deletes the node's pods, and a new agent comes after `seconds`."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAway(Fault):
    """The store does not answer any API server for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact(Fault):
    """The store forgets its history, and one API server dies and comes back fresh after `seconds`: watches that want
    to go on from before have to list again."""

    server: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Roughen(Fault):
    """For `seconds` every way to the API, and the store, are slow and unreliable (`links.ROUGH`)."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Fault):
    """The user scales an app."""

    app: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout(Fault):
    """The user gives an app a new image; with `back`, the former one."""

    app: str
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDaemon(Fault):
    """The user gives a daemon a new image."""

    daemon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApp(Fault):
    """The user creates an app, where there is none of the name."""

    app: str
    replicas: int
    strategy: str = "RollingUpdate"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteApp(Fault):
    """The user deletes an app, its dependents in one of the two ways."""

    app: str
    propagation: Literal["Background", "Foreground"] = "Background"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDaemon(Fault):
    """The user deletes a daemon and creates it again at once."""

    daemon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNamespace(Fault):
    """The user deletes a namespace with what is in it; it is created again after `seconds` (never: below 0)."""

    namespace: str
    seconds: float = -1.0
