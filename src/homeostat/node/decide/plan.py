"""What to do next for a pod that is to run: a pure function of its spec, what runs, and the time.

The rules are those of the kubelet's computePodActions: a sandbox first; init containers one after the other, sidecars
among them as soon as they have started; then all app containers at once; ended ones again by the restart policy,
not before their backoff has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from homeostat.api import durations, meta
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj
from homeostat.node.decide import resize
from homeostat.node.podspec import spec
from homeostat.node.podspec.view import FailureReason, View
from homeostat.runtime.contract import Container, ContainerState, Resources

# The name under which a sandbox's trouble is held.
SANDBOX = ""


@dataclass(frozen=True, slots=True)
class RunSandbox:
    """Give the pod a place."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Start:
    """Create and start a container of the spec; `attempt` is its restart count. `replaces` is the ended one."""

    container: Obj
    attempt: int
    replaces: Container | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """Stop a running container with its grace."""

    container: Obj
    id: str
    message: str


@dataclass(frozen=True, slots=True)
class Prune:
    """Forget an ended container."""

    id: str


@dataclass(frozen=True, slots=True)
class PruneSandbox:
    """Forget a former place of the pod, of which nothing is left."""

    id: str


@dataclass(frozen=True, slots=True)
class Resize:
    """Change the limits of a running container."""

    id: str
    resources: Resources


Action: TypeAlias = RunSandbox | Start | Kill | Prune | PruneSandbox | Resize


@dataclass(slots=True)
class Plan:
    """`wake_at` is when to decide again without an event; `waiting` what containers wait for now, by name; `completed`:
    nothing will ever run again; `expired`: activeDeadlineSeconds have passed."""

    actions: list[Action] = field(default_factory=list)
    waiting: dict[str, FailureReason] = field(default_factory=dict)
    wake_at: float | None = None
    completed: bool = False
    expired: bool = False

    def wake(self, moment: float) -> None:
        """Decide again at `moment` at the latest."""
        self.wake_at = moment if self.wake_at is None else min(self.wake_at, moment)


def plan(pod: Obj, view: View, now: float, *, dead_kept: int = 1) -> Plan:
    """The next actions. They may be performed in any order; afterwards one decides again.

    `dead_kept` is how many ended containers of each name stay, for their logs and their state, beside the newest.
    """
    result = Plan()
    deadline = _deadline(pod)
    if deadline is not None:
        if now >= deadline:
            result.expired = True
            return result
        result.wake(deadline)
    if _never_again(pod, view):
        result.completed = True
    elif view.sandbox is None and now < view.holds.get(SANDBOX, 0.0):
        result.wake(view.holds[SANDBOX])
    elif view.sandbox is None:
        attempt = view.sandboxes[0].spec.attempt + 1 if view.sandboxes else 0
        result.actions.append(RunSandbox(attempt))
    else:
        _plan_containers(result, _Case(pod, view, now))
    _prune(result, view, dead_kept)
    return result


def _deadline(pod: Obj) -> float | None:
    seconds = spec.spec(pod).get("activeDeadlineSeconds")
    start = meta.time_of((pod.get("status") or {}).get("startTime"))
    return start + float(seconds) if seconds is not None and start else None


def initialized(pod: Obj, view: View) -> bool:
    """Whether the init containers are done with: all have ended well, and sidecars have started. Once an app container
    exists in the present sandbox they are, whatever has become of them since."""
    box = view.sandbox
    if any(c.sandbox_id == box.id for main in spec.mains(pod) for c in view.containers.get(main["name"], ()) if box):
        return True
    return all(_init_done(init, view) for init in spec.inits(pod))


def _init_done(init: Obj, view: View) -> bool:
    latest = view.latest(init["name"])
    if latest is None:
        return False
    if is_sidecar(init):
        return latest.state is ContainerState.RUNNING and latest.id in view.started
    return latest.state is ContainerState.EXITED and latest.exit_code == 0


def _never_again(pod: Obj, view: View) -> bool:
    """Whether the pod's work is over, by its restart policy."""
    policy = spec.restart_policy(pod)
    if policy == "Always":
        return False
    if policy == "Never" and not initialized(pod, view):
        failed = [view.latest(init["name"]) for init in spec.inits(pod) if not is_sidecar(init)]
        if any(c is not None and c.state is ContainerState.EXITED and c.exit_code != 0 for c in failed):
            return True
    for main in spec.mains(pod):
        latest = view.latest(main["name"])
        if latest is None or latest.state is not ContainerState.EXITED:
            return False
        if policy == "OnFailure" and latest.exit_code != 0:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Case:
    pod: Obj
    view: View
    now: float


def _plan_containers(result: Plan, case: _Case) -> None:
    pod, view = case.pod, case.view
    ready_for_mains = initialized(pod, view)
    for ephemeral in spec.ephemerals(pod):
        _keep(result, case, ephemeral, "Never")
    for init in spec.inits(pod):
        sidecar = is_sidecar(init)
        if sidecar or not (ready_for_mains or _init_done(init, view)):
            _keep(result, case, init, "Always" if sidecar else _init_policy(pod))
        if not ready_for_mains and not _init_done(init, view):
            return
    for main in spec.mains(pod):
        _keep(result, case, main, spec.restart_policy(pod))


def _init_policy(pod: Obj) -> str:
    return "Never" if spec.restart_policy(pod) == "Never" else "OnFailure"


def _keep(result: Plan, case: _Case, container: Obj, policy: str) -> None:
    """Keep one container as its policy wants it."""
    name = container["name"]
    latest = case.view.latest(name)
    hold = case.view.holds.get(name, 0.0)
    if case.now < hold and (latest is None or latest.state is not ContainerState.RUNNING):
        result.wake(hold)
    elif latest is None:
        result.actions.append(Start(container, 0))
    elif latest.state is ContainerState.CREATED:
        # The agent died between creating and starting it.
        result.actions += [Prune(latest.id), Start(container, latest.spec.attempt)]
    elif latest.state is ContainerState.RUNNING:
        _watch_over(result, container, latest, case.view)
    elif policy == "Always" or (policy == "OnFailure" and latest.exit_code != 0):
        _restart(result, case, container, latest)


def _watch_over(result: Plan, container: Obj, latest: Container, view: View) -> None:
    name = container["name"]
    if latest.spec.spec_hash != spec.container_hash(container):
        message = f"Container {name} definition changed, will be restarted"
        result.actions.append(Kill(container, latest.id, message))
    elif latest.id in view.liveness_failed:
        result.actions.append(Kill(container, latest.id, view.liveness_failed[latest.id]))
    elif name in view.sizes and (names := resize.changed(latest.spec.resources, view.sizes[name])):
        if resize.needs_restart(container, names):
            message = f"Container {name} resize requires restart"
            result.actions.append(Kill(container, latest.id, message))
        else:
            wanted = resize.applied(latest.spec.resources, view.sizes[name])
            result.actions.append(Resize(latest.id, wanted))


def _restart(result: Plan, case: _Case, container: Obj, latest: Container) -> None:
    name, pod = container["name"], case.pod
    backoff = case.view.backoffs.get(name)
    ends_at = backoff.ends_at(latest.finished_at) if backoff else latest.finished_at
    if backoff and case.now < ends_at:
        whose = f"{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"
        text = f"back-off {durations.format(backoff.delay)} restarting failed container={name} pod={whose}"
        result.waiting[name] = FailureReason("CrashLoopBackOff", text)
        result.wake(ends_at)
        return
    result.actions.append(Start(container, latest.spec.attempt + 1, latest))


def _prune(result: Plan, view: View, dead_kept: int) -> None:
    for found in view.containers.values():
        ended = [c for c in found[1:] if c.state is ContainerState.EXITED]
        result.actions += [Prune(c.id) for c in ended[dead_kept:]]
    used = {container.sandbox_id for found in view.containers.values() for container in found}
    former = [box for box in view.sandboxes[1:] if not box.ready and box.id not in used]
    result.actions += [PruneSandbox(box.id) for box in former]
