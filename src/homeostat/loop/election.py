"""Leader election by a Lease, as client-go does it: of several candidates at most one leads.

A candidate takes the lease when it is free, or when it has not seen it change for its duration, by its own monotonic
clock; it looks again when that ends, where client-go may be a retry later. The leader renews it every `retry_seconds`
and gives up when that has not worked for `renew_deadline_seconds` after the last success was asked for (client-go
counts from the start of the next try, up to one retry period later): its work is stopped well before another may take
the lease.

Stopping takes its turn on the event loop, and a process that was suspended finds answers, timers and queued writes all
due at once when it continues. So every write through `writer` reads the clock itself, right before it leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.client.contract import Client, Unreachable
from homeostat.kit import chance, clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.wire.cause import WriteCause

LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases", "lease", namespaced=True)

# client-go, leaderelection.JitterFactor: candidates try after 1 to 2.2 retry periods.
_JITTER = 1.2
_RELEASED_LEASE_SECONDS = 1
# Jitter, so that candidates that wait for the same lease do not all write at once.
_APART_SECONDS_MAX = 0.2
# While the lease was never seen there is no API yet: a cluster that boots need not wait whole retry periods for it.
_UNSEEN = Backoff(first_seconds=0.1, ceiling_seconds=1.0)

OnStarted: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
OnStopped: TypeAlias = Callable[[], Awaitable[None]]

_log = logger("election")


@dataclass(frozen=True, slots=True)
class Timing:
    """Kubernetes' --leader-elect-lease-duration, --leader-elect-renew-deadline, --leader-elect-retry-period."""

    lease_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease_seconds > self.renew_deadline_seconds > self.retry_seconds * _JITTER > 0:
            raise ValueError("lease-duration must exceed renew-deadline, and that 1.2 retry periods")


class NotLeading(Unreachable):
    """A write did not leave: this candidate does not lead any more, or another may have taken its lease."""


class Election:
    """One candidate, `identity`, for the lease `namespace/name`. `leading` says whether it leads now."""

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        identity: str,
        namespace: str = "kube-system",
        timing: Timing | None = None,
    ) -> None:
        self.leading = False
        self.holder = ""
        self._client = client
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._timing = timing or Timing()
        self._observed: Obj | None = None
        self._observed_moment = 0.0
        # Until when its writes may leave, on this process's monotonic clock.
        self._deadline = 0.0
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    def writer(self) -> Client:
        """A client for the work: its writes name this candidate and are sent only while no other candidate can have the
        lease."""
        return self._client.fenced(self.check, self._identity)

    def check(self) -> None:
        """Raises NotLeading unless this candidate leads and the time to renew its lease has not run out."""
        if clock.monotonic() >= self._deadline:
            raise NotLeading(f"{self._identity} does not lead {self._name} now, so it does not write")

    async def run(self, on_started: OnStarted, on_stopped: OnStopped) -> None:
        """Take part until `stop`. `on_started` runs as a task while leading; it has been cancelled, and `on_stopped`
        awaited, before the lease is released. Losing the lease leads back to waiting for it; so does a failing
        `on_started`. Cancelling ends the work too, but leaves the lease to run out."""
        tries = 0
        try:
            while not self._stopping.is_set():
                if await self._try():
                    await self._lead(on_started, on_stopped)
                await self._pause(self._patience(tries))
                tries += 1
        finally:
            self._ended.set()

    def _patience(self, tries: int) -> float:
        """Seconds until the next look: as client-go's, but never later than the end of another's lease, so that a
        leader that is lost has a successor within the lease's duration and the longest time between two looks."""
        usual = self._timing.retry_seconds * (1 + chance.uniform(0, _JITTER))
        if self._observed is None:
            return min(usual, _UNSEEN.delay(tries))
        left = self._ends_at() - clock.monotonic()
        return min(usual, left + chance.uniform(0, _APART_SECONDS_MAX)) if left > 0 else usual

    async def stop(self) -> None:
        """Stop the work, release the lease, and wait until both have happened. Only while `run` runs."""
        self._stopping.set()
        await self._ended.wait()

    async def _lead(self, on_started: OnStarted, on_stopped: OnStopped) -> None:
        _log.info("%s leads %s", self._identity, self._name)
        self.leading = True
        self._deadline = self._observed_moment + self._timing.renew_deadline_seconds
        work = tasks.spawn(on_started(), name=f"{self._name}/leading")
        try:
            await self._renew_until_lost(work)
        finally:
            self.leading = False
            await tasks.stop(work)
            try:
                await on_stopped()
            finally:
                self._deadline = 0.0
            _log.info("%s no longer leads %s", self._identity, self._name)
        if self._holds():
            await self._release()

    async def _renew_until_lost(self, work: asyncio.Task[None]) -> None:
        """Keep the lease; returns when it is lost, when the work has failed, or at `stop`."""
        timing = self._timing
        while True:
            deadline = self._deadline
            await self._pause(min(timing.retry_seconds, max(0.0, deadline - clock.monotonic())))
            failed = work.done() and (work.cancelled() or work.exception() is not None)
            started = clock.monotonic()
            if failed or self._stopping.is_set() or started >= deadline:
                return
            try:
                async with asyncio.timeout(deadline - started):
                    renewed = await self._try()
            except TimeoutError:
                return
            if renewed:
                self._deadline = started + timing.renew_deadline_seconds
            elif not self._holds():
                self._deadline = 0.0
                return

    async def _try(self) -> bool:
        """Take or renew the lease once; whether this candidate holds it now."""
        started = clock.monotonic()
        try:
            if self._holds() and self._valid(started):
                try:
                    return await self._write(self._observed, started)
                except ApiError as error:
                    # Another client may have written it, or it was deleted: read it before the next write.
                    _log.debug("%s: %s", self._name, error)
            lease = await self._read()
            if lease is not None:
                self._observe(lease, started)
                if self._holder(lease) and not self._holds() and self._valid(started):
                    return False
            return await self._write(lease, started)
        except ApiError as error:
            _log.debug("%s: %s", self._name, error)
            return False

    async def _read(self) -> Obj | None:
        try:
            return await self._client.get(LEASE, self._name, self._namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _write(self, lease: Obj | None, started: float) -> bool:
        """Put this candidate's name on the lease. Raises ApiError, Conflict when another was faster."""
        now = clock.now_rfc3339_micro()
        former = (lease or {}).get("spec") or {}
        spec: Obj = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._timing.lease_seconds)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        }
        note = ""
        if lease is not None and former.get("holderIdentity") == self._identity:
            spec["acquireTime"] = former.get("acquireTime", now)
            spec["leaseTransitions"] = former.get("leaseTransitions", 0)
        elif lease is not None:
            spec["leaseTransitions"] = former.get("leaseTransitions", 0) + 1
            note = f"took the lease after {former.get('holderIdentity') or 'its release'}"
        self._observe(await self._store(lease, spec, note), started)
        return True

    async def _release(self) -> None:
        """Leave the lease free, so that another candidate need not wait for it to run out. Best effort."""
        lease, now = self._observed, clock.now_rfc3339_micro()
        if lease is None:
            return
        free = {"holderIdentity": "", "leaseDurationSeconds": _RELEASED_LEASE_SECONDS}
        free |= {"acquireTime": now, "renewTime": now, "leaseTransitions": lease["spec"].get("leaseTransitions", 0)}
        try:
            async with asyncio.timeout(self._timing.retry_seconds):
                self._observe(await self._store(lease, free, "released the lease"), clock.monotonic())
        except (ApiError, TimeoutError) as error:
            _log.info("%s could not be released: %s", self._name, error)

    async def _store(self, lease: Obj | None, spec: Obj, note: str) -> Obj:
        cause = WriteCause(f"{self._name}/election", f"{self._namespace}/{self._name}", note)
        if lease is None:
            body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "spec": spec}
            body["metadata"] = {"name": self._name, "namespace": self._namespace}
            return await self._client.create(LEASE, body, cause=cause)
        return await self._client.update(LEASE, lease | {"spec": spec}, cause=cause)

    def _observe(self, lease: Obj, moment: float) -> None:
        """Note when the lease was last seen to change; its own times come from another machine's clock."""
        if self._observed is None or self._observed.get("spec") != lease.get("spec"):
            self._observed_moment = moment
        self._observed = lease
        self.holder = self._holder(lease)

    def _valid(self, now: float) -> bool:
        return self._ends_at() > now

    def _ends_at(self) -> float:
        """When the lease runs out that was last seen, on this process's clock."""
        spec = (self._observed or {}).get("spec") or {}
        return self._observed_moment + float(spec.get("leaseDurationSeconds") or 0)

    def _holds(self) -> bool:
        return self._observed is not None and self._holder(self._observed) == self._identity

    def _holder(self, lease: Obj) -> str:
        return str((lease.get("spec") or {}).get("holderIdentity") or "")

    async def _pause(self, seconds: float) -> None:
        """Let `seconds` pass, or less at `stop`."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
