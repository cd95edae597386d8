"""The worker of one pod: one task that moves through the lifecycle table and performs what is decided.

While syncing it decides (`plan`), performs, and reports the status; when the pod has to end it stops the containers,
and then sees the object out of the API. While it syncs it never waits for the API: a node that is cut off keeps its
pods.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import POD
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.node.decide import resize
from homeostat.node.decide.lifecycle import POD as TABLE
from homeostat.node.decide.lifecycle import PodEvent, PodState
from homeostat.node.decide.plan import Plan, RunSandbox, plan
from homeostat.node.decide.status import TERMINAL, Facts, pod_status
from homeostat.node.pod.context import NodeContext
from homeostat.node.pod.performer import Performer
from homeostat.node.podspec import spec, unsupported
from homeostat.node.podspec.view import FailureReason, View
from homeostat.runtime.contract import RuntimeFault
from homeostat.wire.cause import Seen, WriteCause

_log = logger("kubelet.pod")
_DELETE_RETRY = Backoff(first_seconds=0.2, ceiling_seconds=5.0)
_STEP_RETRY = Backoff(first_seconds=0.1, ceiling_seconds=10.0)
_REQUEST_SECONDS_MAX = 10.0
_DEADLINE = FailureReason("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


class PodWorker:
    """`pod` is the newest form of the object (for a static pod, what its file says). `start` begins the task."""

    def __init__(self, context: NodeContext, pod: Obj) -> None:
        self.pod = pod
        self.uid = meta.uid(pod)
        self.state = TABLE.start
        # Set once there is nothing left to start: all runs, waits for something, or ends.
        self.begun = asyncio.Event()
        self._context = context
        self._wake = asyncio.Event()
        self._deleted = False
        self._gone = False
        self._look_at = clock.monotonic() + context.config.seconds("sync-frequency")
        self._ordered: tuple[FailureReason, float] | None = None
        self._outcome: FailureReason | None = None
        self._note = ""
        start = (pod.get("status") or {}).get("startTime")
        self._start_time = meta.time_of(start, clock.wall())
        self._performer = Performer(context, self.uid, self.wake)
        self._waiting: dict[str, FailureReason] = {}
        self._given = resize.former_sizes(pod)
        self._passing: tuple[Obj, ...] = ()
        self._task: asyncio.Task[None] | None = None

    # -- called by others ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._task = tasks.spawn(self._run(), name=f"{self._context.config.name}/pod/{meta.key(self.pod)}")

    async def stop(self) -> None:
        """End the task; containers run on."""
        await tasks.stop(self._task)
        await self._performer.stop()

    def update(self, pod: Obj) -> None:
        """A newer form of the object."""
        before, self.pod = self.pod, pod
        if meta.deleting(pod):
            self._performer.ending.set()
        if _matters(before, pod):
            self.wake()

    def delete(self) -> None:
        """A static pod's file is gone."""
        self._deleted = True
        self._performer.ending.set()
        self.wake()

    def end(self, outcome: FailureReason, *, grace_seconds: float) -> None:
        """The node evicts or rejects the pod: it fails with `outcome`, after at most `grace_seconds`."""
        if self._ordered is None or grace_seconds < self._ordered[1]:
            self._ordered = outcome, grace_seconds
        self._performer.ending.set()
        self.wake()

    def gone(self) -> None:
        """The object was deleted from the API."""
        self._gone = True
        self._performer.ending.set()
        self.wake()

    def wake(self) -> None:
        """Look again: something may have changed."""
        self._wake.set()

    @property
    def runs(self) -> bool:
        """Whether something of the pod may run."""
        return self.state in (PodState.NEW, PodState.SYNCING, PodState.TERMINATING)

    @property
    def wants_place(self) -> bool:
        """Whether the pod counts against the node's capacity."""
        return self.state is PodState.SYNCING or (self.state is PodState.TERMINATING and self._outcome is None)

    @property
    def sized(self) -> Obj:
        """The pod with the resources that the node has given it."""
        return resize.sized(self.pod, self._given)

    def _resize(self) -> None:
        """Give the pod what it wants now, if the node has it."""
        wanted = resize.wanted_sizes(self.pod)
        if wanted == self._given:
            self._passing = ()
            return
        refusal = resize.refusal(self.pod, self._context.allocatable, self._context.refusal(self.pod))
        self._passing = (refusal,) if refusal else ()
        if refusal is None:
            self._given = wanted

    # -- the states ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._begin()
        failures = 0
        while self.state is not PodState.FINISHED:
            try:
                await self._step()
                failures = 0
            except Exception as error:  # noqa: BLE001 - one pod's trouble, whatever it is, must not leave it untended
                _log.warning(
                    "%s: %s", meta.key(self.pod), error, exc_info=not isinstance(error, RuntimeFault | OSError)
                )
                self._context.recorder.record(self.pod, "FailedSync", f"error syncing pod: {error}", "Warning")
                await clock.sleep(_STEP_RETRY.delay(failures))
                failures += 1
        self._context.statuses.forget(self.uid)
        self._context.references.forget(self.uid)
        self._context.puller.forget(self.uid)
        self._context.finished(self.uid)

    async def _step(self) -> None:
        if self.state is PodState.SYNCING:
            await self._sync()
        elif self.state is PodState.TERMINATING:
            await self._terminate()
        else:
            await self._see_out()

    def _move(self, event: PodEvent) -> None:
        self.state = TABLE.move(self.state, event)
        if self.state is not PodState.SYNCING:
            self.begun.set()
        _log.debug("%s: %s, now %s", meta.key(self.pod), event.value, self.state.value)

    def _begin(self) -> None:
        ending = self._ending()
        if ending is not None:
            self._move(ending)
            return
        if meta.pod_phase(self.pod) in TERMINAL:
            self._move(PodEvent.COMPLETED)
            return
        self._outcome = self._context.refusal(self.pod)
        if self._outcome is not None:
            self._context.recorder.record(self.pod, self._outcome.reason, self._outcome.message, "Warning")
            self._note = f"refused: {self._outcome.reason}"
            self._move(PodEvent.REFUSED)
            return
        runtime = self._context.runtime
        ignored: list[str] = []
        if runtime.real and not runtime.isolates:
            ignored = unsupported.not_enforced(self.pod, mounts_in_place=runtime.mounts_in_place)
        elif runtime.real:
            ignored = unsupported.not_done(self.pod)
        if ignored and not self._performer.adopted(self.pod):
            text = f"The {runtime.name} runtime does not enforce {', '.join(ignored)}"
            self._context.recorder.record(self.pod, "NotEnforced", text)
        self._move(PodEvent.ADMITTED)

    def _ending(self) -> PodEvent | None:
        """Why the pod has to end, if it has to."""
        if self._gone:
            return PodEvent.GONE
        return PodEvent.DELETED if self._deleted or meta.deleting(self.pod) else None

    async def _sync(self) -> None:
        self._wake.clear()
        ending = self._ending()
        if ending is not None:
            self._move(ending)
            return
        if self._ordered is not None:
            self._outcome = self._ordered[0]
            reason = "TerminationByKubelet"
            text = self._outcome.message
            condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": text}
            self._passing = (condition,)
            self._note = f"ended by the node: {self._outcome.reason}"
            self._move(PodEvent.FAILED)
            return
        self._resize()
        view = await self._performer.view(self.sized)
        now = clock.wall()
        kept = self._context.config.number("maximum-dead-containers-per-container")
        todo = plan(self._timed(), view, now, dead_kept=kept)
        self._waiting = todo.waiting
        if todo.expired:
            self._outcome = _DEADLINE
            self._context.recorder.record(self.pod, _DEADLINE.reason, _DEADLINE.message)
            self._move(PodEvent.FAILED)
            return
        if todo.completed:
            self._move(PodEvent.COMPLETED)
            return
        if not any(isinstance(action, RunSandbox) for action in todo.actions):
            self._publish(view)
        for action in todo.actions:
            if self._ending() is not None:
                return
            await self._performer.perform(self.sized, action)
        if not todo.actions:
            self.begun.set()
            self._performer.report_backoffs(self.pod, view, todo.waiting)
            await self._look_regularly()
            await self._rest(todo)

    def _timed(self) -> Obj:
        """The pod with the start time that this node has set, for its deadline."""
        pod, status = self.sized, self.pod.get("status") or {}
        if status.get("startTime") or "activeDeadlineSeconds" not in spec.spec(pod):
            return pod
        return {**pod, "status": {**status, "startTime": clock.rfc3339(self._start_time)}}

    async def _look_regularly(self) -> None:
        """Bring volumes up to date when that is due, however much else happens: tokens end."""
        if clock.monotonic() >= self._look_at:
            self._look_at = clock.monotonic() + self._context.config.seconds("sync-frequency")
            await self._performer.refresh(self.pod)

    async def _rest(self, todo: Plan) -> None:
        """Until something happens, the plan wants to go on, or the next regular look is due."""
        pause = max(0.0, self._look_at - clock.monotonic())
        if todo.wake_at is not None:
            pause = min(pause, max(0.0, todo.wake_at - clock.wall()))
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass

    # -- the end ---------------------------------------------------------------------------------------------------

    async def _terminate(self) -> None:
        """Stop everything; a deletion that comes in meanwhile, or one with less grace, shortens the grace period."""
        begun, grace = clock.monotonic(), self._grace_seconds()
        stopping = self._stop_all(grace)
        while not stopping.done():
            self._wake.clear()
            self._publish(await self._performer.view(self.pod))
            if not stopping.done():
                await self._wake.wait()
            if not stopping.done() and self._grace_seconds() < grace:
                grace = self._grace_seconds()
                await tasks.stop(stopping)
                stopping = self._stop_all(max(0.0, begun + grace - clock.monotonic()))
        self._publish(await self._performer.view(self.pod), ended=True)
        self._move(PodEvent.STOPPED)

    def _grace_seconds(self) -> float:
        if self._gone and not self._deleted:
            return 0.0
        grace = spec.grace_seconds(self.pod)
        return grace if self._ordered is None else min(grace, self._ordered[1])

    def _stop_all(self, grace_seconds: float) -> asyncio.Task[None]:
        task = tasks.spawn(self._performer.stop_all(self.pod, grace_seconds), name=f"pod/stop/{self.uid}")
        task.add_done_callback(lambda _: self.wake())
        return task

    async def _see_out(self) -> None:
        """Nothing runs: keep what logs need until the object is deleted, and delete it from the API when it should
        be."""
        self._wake.clear()
        ending = self._ending()
        if ending is None:
            await self._wake.wait()
            return
        if not spec.is_static(self.pod):
            # A static pod waits for no API: it may itself be the API server, to be replaced.
            await self._context.statuses.settled(self.uid)
        await self._performer.clean(self.pod)
        if not self._gone and not spec.is_static(self.pod):
            await self._delete_object()
        self._move(PodEvent.RELEASED)

    async def _delete_object(self) -> None:
        """Delete the object for good, as often as it takes."""
        name, namespace = meta.name(self.pod), meta.namespace(self.pod)
        seen = (Seen("Pod", namespace, name, meta.resource_version(self.pod)),)
        cause = WriteCause(f"kubelet/{self._context.config.name}", meta.key(self.pod), "containers have stopped", seen)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        failures = 0
        while not self._gone:
            try:
                async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                    await self._context.client.delete(POD, name, namespace, options=options, cause=cause)
                return
            except ApiError as error:
                if error.code in (404, 409):
                    return
            except TimeoutError:
                pass
            await clock.sleep(_DELETE_RETRY.delay(failures))
            failures += 1

    # -- status ----------------------------------------------------------------------------------------------------

    def _publish(self, view: View, *, ended: bool = False) -> None:
        config = self._context.config
        facts = Facts(
            node_ip=config.address,
            runtime=self._context.runtime.name,
            start_time=self._start_time,
            now=clock.wall(),
            waiting=self._waiting,
            ending=ended or self.state is not PodState.SYNCING,
            outcome=self._outcome,
            given=self._given if self._context.pod_isolation is not None else {},
            passing=self._passing,
        )
        if not ended and self.state is not PodState.SYNCING and view.running():
            # While it ends, the pod keeps its phase.
            facts = replace(facts, ending=False, outcome=None)
        status = pod_status(self.pod, view, facts)
        notes = (self._note,) if self._note else self._performer.notes.take()
        self._context.statuses.put(self.pod, status, notes)


def _matters(old: Obj, new: Obj) -> bool:
    """Whether a change of the object can change what is to be done: not one that the node itself has written."""
    if meta.generation(old) != meta.generation(new) or not meta.generation(new) or meta.deleting(new):
        return True
    gated = bool(spec.spec(new).get("readinessGates"))
    return gated and meta.conditions(old) != meta.conditions(new)
