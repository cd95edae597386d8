"""Performing a pod's planned actions against the runtime, and remembering what decisions need to see of it.

It builds the view (what runs, what probes established, why things wait) and keeps, per container, its crash backoff
and the pause after a failed try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TypeVar

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.node.decide.plan import SANDBOX, Action, Kill, Prune, PruneSandbox, Resize, RunSandbox, Start
from homeostat.node.isolation import sandboxspec
from homeostat.node.pod.context import NodeContext
from homeostat.node.pod.start_failures import sandbox_exited
from homeostat.node.pod.starter import Gathered, Starter
from homeostat.node.pod.starter import Start as Wanted
from homeostat.node.pod.stopper import Stopper
from homeostat.node.pod.termination_message import LastWords
from homeostat.node.podspec import spec
from homeostat.node.podspec.failures import NotYet, StartFailure
from homeostat.node.podspec.view import CrashBackoff, FailureReason, View
from homeostat.node.probes.handlers import Target, hook
from homeostat.node.probes.prober import Prober, established
from homeostat.node.reports.notes import Notes
from homeostat.node.volumes.volumes import PodFiles, VolumeError
from homeostat.runtime.contract import (
    FOUND_GONE,
    Container,
    ContainerState,
    Resources,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
)

# After a try that failed for a reason outside the container: volumes, references, images, sandboxes.
_RETRY = Backoff(first_seconds=0.5, ceiling_seconds=10.0)
T = TypeVar("T")


class Performer:
    """For one pod. `ending` is set when the pod has to end: what may take long is then given up. `notes` has what
    happened, in a few words each. `changed` is called when a probe established something."""

    def __init__(self, context: NodeContext, uid: str, changed: Callable[[], None]) -> None:
        self.ending = asyncio.Event()
        self.notes = Notes()
        self._context = context
        self._runtime = context.runtime
        self._uid = uid
        self._pod: Obj = {}
        self._prober = Prober(context.runtime, self._on_verdict, self._on_unhealthy)
        self._changed = changed
        self._stopper = Stopper(context)
        self._troubles: dict[str, FailureReason] = {}
        self._holds: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._backoffs: dict[str, CrashBackoff] = {}
        self._began = clock.wall()
        self._words = LastWords(context.runtime)
        self._reported_backoffs: dict[str, str] = {}
        self._volumes_made = False
        self._gathering: asyncio.Task[Gathered] | None = None

    async def stop(self) -> None:
        """End the probes."""
        await tasks.stop(self._gathering)
        await self._prober.stop()

    # -- the view --------------------------------------------------------------------------------------------------

    async def view(self, pod: Obj) -> View:
        """What a decision about the pod may see now."""
        self._pod = pod
        sandboxes = await self._runtime.sandboxes(self._uid)
        containers: dict[str, list[Container]] = {}
        for container in reversed(await self._runtime.containers(self._uid)):
            if container.state is ContainerState.EXITED:
                container = await self._explained(pod, container)
            containers.setdefault(container.spec.name, []).append(container)
        # What runs has its volumes: a former agent made them.
        self._volumes_made |= any(found[0].state is ContainerState.RUNNING for found in containers.values())
        boxes = tuple(self._addressed(pod, box) for box in reversed(sandboxes))
        view = View(sandboxes=boxes, containers=containers)
        self._watch(pod, view)
        return replace(
            view,
            started=self._prober.started,
            ready=self._prober.ready,
            liveness_failed=self._prober.liveness_failed,
            troubles=dict(self._troubles),
            backoffs=dict(self._backoffs),
            holds=dict(self._holds),
            sizes=self._sizes(pod),
        )

    def _sizes(self, pod: Obj) -> Mapping[str, Resources]:
        pod_isolation = self._context.pod_isolation
        if pod_isolation is None or not pod_isolation.cgroups.available:
            return {}
        lasting = [c for c in spec.all_containers(pod) if c in spec.mains(pod) or is_sidecar(c)]
        return {container["name"]: pod_isolation.resources(pod, container) for container in lasting}

    def adopted(self, pod: Obj) -> bool:
        """Whether the pod has a status from an earlier look: then nothing is to be said twice."""
        return bool((pod.get("status") or {}).get("containerStatuses"))

    def _watch(self, pod: Obj, view: View) -> None:
        """Probe what runs, and only that."""
        running = view.running()
        self._prober.keep({container.id for container in running})
        if self.ending.is_set():
            return
        specs = {container["name"]: container for container in spec.all_containers(pod)}
        ip = view.sandboxes[0].ip if view.sandboxes else ""
        former = established(pod)
        for container in running:
            if container.spec.name in specs:
                started, ready = former.get(container.id, (False, False))
                target = Target(specs[container.spec.name], container.id, ip)
                self._prober.watch(target, container.started_at, was_started=started, was_ready=ready)

    async def _explained(self, pod: Obj, container: Container) -> Container:
        """The ended container with its termination message."""
        if not self._words.knows(container.id):
            self.notes.add_step(container.spec.name, f"ended with {container.exit_code}")
        return replace(container, message=await self._words.of(pod, self._files(pod), container))

    def _files(self, pod: Obj) -> PodFiles:
        return PodFiles(self._context.config, pod, isolates=self._runtime.isolates)

    async def _place(self, pod: Obj) -> Sandbox | None:
        """The pod's newest sandbox, a pod of the node's network at the node's address."""
        found = [self._addressed(pod, box) for box in await self._runtime.sandboxes(self._uid)]
        return found[-1] if found else None

    def _addressed(self, pod: Obj, box: Sandbox) -> Sandbox:
        address = self._context.config.address
        return replace(box, ip=address) if spec.host_network(pod) and box.ip != address else box

    # -- performing ------------------------------------------------------------------------------------------------

    async def perform(self, pod: Obj, action: Action) -> None:
        """Perform one action. Failures become troubles and pauses that the next view shows."""
        if isinstance(action, RunSandbox):
            await self._run_sandbox(pod, action)
        elif isinstance(action, Start):
            await self._start(pod, action)
        elif isinstance(action, Kill):
            await self._kill(pod, action)
        elif isinstance(action, Resize):
            await self._resize(pod, action)
        elif isinstance(action, PruneSandbox):
            await self._runtime.remove_sandbox(action.id)
        else:
            await self._prune(pod, action)

    async def _run_sandbox(self, pod: Obj, action: RunSandbox) -> None:
        try:
            wanted = await self._sandbox_spec(pod, action.attempt)
            # A new sandbox may follow a power loss: what was in memory is lost.
            self._volumes_made = False
            if self._runtime.real:
                # What the containers refer to is read while the runtime makes the place.
                work = Starter(self._context, self._files(pod)).gather(pod, spec.all_containers(pod))
                self._gathering = tasks.spawn(work, name=f"pod/gather/{self._uid}")
            await self._runtime.run_sandbox(wanted)
            self._succeeded(SANDBOX)
        except OSError as error:
            self._event("FailedCreatePodContainer", f"unable to ensure pod container exists: {error}", "Warning")
            self._hold(SANDBOX)
        except RuntimeFault as fault:
            self._event("FailedCreatePodSandBox", f"Failed to create pod sandbox: {fault}", "Warning")
            self._hold(SANDBOX)

    async def _sandbox_spec(self, pod: Obj, attempt: int) -> SandboxSpec:
        """Raises OSError, and RuntimeFault where the pod requests what no sandbox here supports."""
        pod_isolation = self._context.pod_isolation
        if pod_isolation is None:
            return sandboxspec.plain(pod, attempt)
        handler = await self._context.references.runtime_handler(pod)
        found = pod_isolation.resolution(pod)
        for reason, message in found.warnings:
            self._event(reason, message, "Warning")
        return pod_isolation.sandbox(pod, attempt, found.dns, pod_isolation.place(pod), handler)

    async def _gathered(self) -> Gathered | None:
        """What was read for the start that follows the sandbox; later starts read again."""
        gathering, self._gathering = self._gathering, None
        return await gathering if gathering is not None else None

    async def _start(self, pod: Obj, action: Start) -> None:
        name, sandbox = action.container["name"], await self._place(pod)
        if sandbox is None:
            return
        starter = Starter(self._context, self._files(pod))
        gathered = await self._gathered()
        try:
            if not self._volumes_made:
                await starter.make_volumes(pod, sandbox.ip, gathered)
                self._volumes_made = True
            # A pull may take long, and a pod that is deleted does not wait for it.
            image = await self._unless_ending(starter.image(pod, action.container))
            if not isinstance(image, str):
                if image is not None:
                    self._fail(name, image)
                return
            wanted = Wanted(action.container, action.attempt, sandbox, image, await self._target(action.container))
            started = await starter.start(pod, wanted, gathered)
        except VolumeError as error:
            self._event("FailedMount", str(error), "Warning")
            self._hold(name)
        except StartFailure as failure:
            if await sandbox_exited(self._runtime, name, sandbox):
                return
            self._count_restart(action)
            self._fail(name, failure)
        except (ApiError, NotYet) as error:
            self._event("FailedMount" if not self._volumes_made else "Failed", f"Error: {error}", "Warning")
            self._hold(name)
        else:
            self._count_restart(action)
            self._succeeded(name)
            self.notes.add_step(name, "started")
            await self._post_start(pod, action.container, started, sandbox)

    def _fail(self, name: str, failure: StartFailure) -> None:
        if not failure.known:
            self._event("Failed", f"Error: {failure.event}", "Warning")
        self._troubles[name] = failure.trouble
        self.notes.add(f"container {name}: {failure.trouble.reason}")
        self._hold(name, failure.retry_at)

    async def _target(self, container: Obj) -> str:
        """The ID of the container whose processes an ephemeral one is to see. Raises StartFailure."""
        name = container.get("targetContainerName")
        if not name:
            return ""
        for found in reversed(await self._runtime.containers(self._uid)):
            if found.spec.name == name and found.state is ContainerState.RUNNING:
                return found.id
        text = f'unable to find target container "{name}"'
        raise StartFailure(FailureReason("CreateContainerConfigError", text))

    def _count_restart(self, action: Start) -> None:
        # What ended while the node was off (or had no agent) did not crash: it says nothing about the next start.
        former = action.replaces
        if former is None or former.finished_at < self._began or former.reason == FOUND_GONE:
            return
        name, flags = action.container["name"], self._context.config.seconds
        before = self._backoffs.get(name) or CrashBackoff(
            flags("crash-loop-back-off-initial"), flags("crash-loop-back-off-max")
        )
        self._backoffs[name] = before.restarted(former.finished_at, clock.wall())

    async def _post_start(self, pod: Obj, container: Obj, started: Container, sandbox: Sandbox) -> None:
        handler = (container.get("lifecycle") or {}).get("postStart")
        if not handler:
            return
        target = Target(container, started.id, sandbox.ip)
        outcome = await self._unless_ending(hook(self._runtime, handler, target))
        if outcome is None or outcome.ok:
            return
        self._event("FailedPostStartHook", f"PostStartHook failed: {outcome.message}", "Warning")
        self._troubles[container["name"]] = FailureReason("PostStartHookError", outcome.message)
        await self._kill(pod, Kill(container, started.id, "FailedPostStartHook"))

    async def _kill(self, pod: Obj, action: Kill) -> None:
        found = [c for c in await self._runtime.containers(self._uid) if c.id == action.id]
        if not found or found[0].state is not ContainerState.RUNNING:
            return
        of_probe = self._prober.grace(action.id)
        grace = spec.grace_seconds(pod) if of_probe is None else of_probe
        self.notes.add(action.message)
        place = await self._place(pod)
        ip = place.ip if place else ""
        await self._unless_ending(
            self._stopper.stop(pod, action.container, found[0], ip, grace_seconds=grace, message=action.message)
        )

    async def _resize(self, pod: Obj, action: Resize) -> None:
        pod_isolation = self._context.pod_isolation
        assert pod_isolation is not None
        try:
            # The pod's own limit first where it grows, afterwards where it shrinks.
            pod_isolation.grow(pod)
            await self._runtime.update_resources(action.id, action.resources)
            pod_isolation.place(pod)
            self.notes.add("containers are resized")
        except (RuntimeFault, OSError) as fault:
            self._event("ResizeError", f"Error resizing pod: {fault}", "Warning")
            await clock.sleep(_RETRY.delay(0))

    async def _prune(self, pod: Obj, action: Prune) -> None:
        found = [c for c in await self._runtime.containers(self._uid) if c.id == action.id]
        await self._runtime.remove_container(action.id)
        self._words.forget(action.id)
        if found and self._runtime.real:
            name = found[0].spec.name
            kept = {c.spec.attempt for c in await self._runtime.containers(self._uid) if c.spec.name == name}
            self._files(pod).prune(name, kept)

    async def _unless_ending(self, work: Coroutine[object, object, T]) -> T | None:
        """The result of `work`, or None when the pod has to end first."""
        task = tasks.spawn(work, name=f"pod/work/{self._uid}")
        waiter = tasks.spawn(self.ending.wait(), name=f"pod/ending/{self._uid}")
        try:
            await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            await tasks.stop(task, waiter)

    async def refresh(self, pod: Obj) -> None:
        """The regular look: bring volumes up to date with what they show."""
        place = await self._place(pod)
        if self._volumes_made and place is not None:
            try:
                await Starter(self._context, self._files(pod)).make_volumes(pod, place.ip)
            except (VolumeError, ApiError) as error:
                self._event("FailedMount", str(error), "Warning")

    # -- the end ---------------------------------------------------------------------------------------------------

    async def stop_all(self, pod: Obj, grace_seconds: float) -> None:
        """End all containers, then the sandbox; what the runtime cannot do now is tried again."""
        self.ending.set()
        self._prober.stop_judging()
        failures = 0
        while True:
            try:
                await self._stop_once(pod, grace_seconds)
                return
            except RuntimeFault as fault:
                self._event("FailedKillPod", f"error killing pod: {fault}", "Warning")
                await clock.sleep(_RETRY.delay(failures))
                failures += 1

    async def _stop_once(self, pod: Obj, grace_seconds: float) -> None:
        sandboxes = await self._runtime.sandboxes(self._uid)
        running = [c for c in await self._runtime.containers(self._uid) if c.state is ContainerState.RUNNING]
        if running:
            self.notes.add("containers are being stopped")
            place = await self._place(pod)
            await self._stopper.stop_all(pod, running, place.ip if place else "", grace_seconds=grace_seconds)
        await self._prober.stop()
        for sandbox in sandboxes:
            await self._runtime.stop_sandbox(sandbox.id)

    async def clean(self, pod: Obj) -> None:
        """Remove what the pod has left on the node."""
        for sandbox in await self._runtime.sandboxes(self._uid):
            await self._runtime.remove_sandbox(sandbox.id)
        if self._runtime.real and not self._files(pod).remove():
            raise OSError("volumes are still in use")
        if self._context.pod_isolation is not None and not self._context.pod_isolation.leave(pod):
            raise OSError("processes of the pod are still there")

    # -- memory ----------------------------------------------------------------------------------------------------

    def report_backoffs(self, pod: Obj, view: View, waiting: Mapping[str, FailureReason]) -> None:
        """An event for each container that waits for its backoff, once per end of it."""
        for name, trouble in waiting.items():
            latest = view.latest(name)
            if latest is not None and self._reported_backoffs.get(name) != latest.id:
                self._reported_backoffs[name] = latest.id
                whose = f"{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"
                self._event("BackOff", f"Back-off restarting failed container {name} in pod {whose}", "Warning")
                self.notes.add(f"container {name}: {trouble.reason}")

    def _hold(self, name: str, retry_at: float | None = None) -> None:
        if retry_at is None:
            failures = self._failures.get(name, 0)
            self._failures[name] = failures + 1
            retry_at = clock.wall() + _RETRY.delay(failures)
        self._holds[name] = retry_at

    def _succeeded(self, name: str) -> None:
        for memory in (self._troubles, self._holds, self._failures):
            memory.pop(name, None)

    def _event(self, reason: str, message: str, event_type: str = "Normal") -> None:
        self._context.recorder.record(self._pod, reason, message, event_type)

    def _on_verdict(self, container: Obj, verdict: str) -> None:
        self.notes.add_finding(container["name"], verdict)
        self._changed()

    def _on_unhealthy(self, container: Obj, message: str) -> None:
        self.notes.add_finding(container["name"], message)
        self._event("Unhealthy", message, "Warning")
