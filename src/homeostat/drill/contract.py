"""What a drill is made of: a stage whose methods are the faults, a target, and predictions of what the loops will do.

The same drill runs on every stage. Choosing a target and judging a prediction are pure; only the stage acts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from homeostat.loop.contract import World

if TYPE_CHECKING:
    from homeostat.client.contract import Client


class DrillError(Exception):
    """The drill cannot run here; the text says why and what to do."""


class Stage(Protocol):
    """A cluster that can be broken. Every method returns a text of what it did; a cut ends by itself, `power_off` does
    not."""

    @property
    def client(self) -> Client:
        """An administrator's client from outside the cluster."""
        ...

    async def kill_container(self, namespace: str, pod: str, container: str) -> str:
        """SIGKILL to the container's root process."""
        ...

    async def kill_agent(self, node: str) -> str:
        """SIGKILL to the node agent; its containers run on."""
        ...

    async def cut(self, node: str, *, seconds: float) -> str:
        """Cut the node's uplink, for at most `seconds`."""
        ...

    async def heal(self, node: str) -> str:
        """Join the uplink."""
        ...

    async def power_off(self, node: str) -> str:
        """End everything that runs on the node."""
        ...

    async def power_on(self, node: str) -> str:
        """Start the node again."""
        ...

    async def ask_app(self) -> None:
        """One request to the drill's app, from outside, on a fresh connection. Raises OSError or TimeoutError."""
        ...

    async def ask_api(self) -> None:
        """One read from the API, from outside, on a fresh connection. Raises OSError, ApiError or TimeoutError."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """What a fault hits. `container_id` is the container's before the fault, `before` what else must change or stay (a
    leader's identity, the IDs of a node's containers), `at` when it was chosen (wall-clock seconds), `backoff_seconds`
    how long the kubelet may hold its restart back (CrashLoopBackOff)."""

    node: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    container_id: str = ""
    before: str = ""
    at: float = 0.0
    backoff_seconds: float = 0.0

    def __str__(self) -> str:
        if self.container:
            return f"container {self.container} of pod {self.namespace}/{self.pod} on {self.node}"
        return f"pod {self.namespace}/{self.pod} on {self.node}" if self.pod else f"node {self.node}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """`text` will hold no earlier than `after_seconds` and no later than `within_seconds` after the fault (or, with
    `of_undo`, after its undoing); later by the crash backoff that the target has earned by earlier restarts. It is
    judged when the predictions before it have been, and must hold then, since whenever that is."""

    text: str
    within_seconds: float
    holds: Callable[[World, Target], bool]
    after_seconds: float = 0.0
    of_undo: bool = False


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. `loop` names the recovery loop it shows. Of the clients' requests only those in flight when the fault
    is injected may fail. `undo_after_seconds` is counted from the fault; 0 means as soon as what is predicted of the
    fault has come true."""

    name: str
    title: str
    loop: str
    choose: Callable[[World], Target]
    inject: str
    predictions: tuple[Prediction, ...]
    undo: str = ""
    undo_after_seconds: float = 0.0
    deadline_seconds: float = 60.0
