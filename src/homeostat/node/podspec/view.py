"""What a decision about one pod sees: its sandboxes and containers as the runtime has them, and probe results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homeostat.runtime.contract import Container, ContainerState, Resources, Sandbox


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Why a container waits: a reason as kubectl shows it (CreateContainerConfigError), and a message."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CrashBackoff:
    """The pause after a container's ends: the first restart is at once, then `initial` seconds, doubling to `ceiling`.

    The rule is client-go's flowcontrol.Backoff as the kubelet uses it: a pause counts from the end of the container,
    and twice the ceiling (ten minutes, by default) without an end forgets it. `delay` is 0 before the first restart.
    """

    initial: float
    ceiling: float
    delay: float = 0.0
    updated_at: float = 0.0

    def ends_at(self, finished_at: float) -> float:
        """When a container that ended at `finished_at` may start again."""
        if not self.delay or self._forgotten(finished_at):
            return finished_at
        return finished_at + self.delay

    def restarted(self, finished_at: float, now: float) -> CrashBackoff:
        """The backoff after a restart at `now` of a container that had ended at `finished_at`."""
        fresh = not self.delay or self._forgotten(finished_at)
        delay = min(self.initial if fresh else self.delay * 2, self.ceiling)
        return CrashBackoff(self.initial, self.ceiling, delay, now)

    def _forgotten(self, finished_at: float) -> bool:
        return finished_at - self.updated_at > 2 * self.ceiling


@dataclass(frozen=True, slots=True)
class View:
    """`sandboxes` and `containers` (by container name) are newest first. `started` and `ready` hold the IDs of
    containers whose startup and readiness are established; `liveness_failed` those that a probe wants killed, with the
    message of the Killing event; `troubles` why containers could not be started, by name; `holds` until when not to
    try again, by name."""

    sandboxes: Sequence[Sandbox] = ()
    containers: Mapping[str, Sequence[Container]] = field(default_factory=dict)
    started: frozenset[str] = frozenset()
    ready: frozenset[str] = frozenset()
    liveness_failed: Mapping[str, str] = field(default_factory=dict)
    troubles: Mapping[str, FailureReason] = field(default_factory=dict)
    backoffs: Mapping[str, CrashBackoff] = field(default_factory=dict)
    holds: Mapping[str, float] = field(default_factory=dict)
    # What containers are to have where limits are enforced, by name.
    sizes: Mapping[str, Resources] = field(default_factory=dict)

    @property
    def sandbox(self) -> Sandbox | None:
        """The sandbox in use: the newest, while it is ready."""
        return self.sandboxes[0] if self.sandboxes and self.sandboxes[0].ready else None

    def latest(self, name: str) -> Container | None:
        """The newest container of that name."""
        found = self.containers.get(name)
        return found[0] if found else None

    def running(self) -> list[Container]:
        """All containers that run."""
        return [c for found in self.containers.values() for c in found if c.state is ContainerState.RUNNING]
