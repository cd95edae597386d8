"""Hedged calls: where a member is late, the same call is sent to others as well, and the first answer counts.

The late call stays under way: when all members are slow, it is not abandoned and sent again until its time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import grpc.aio

from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.store.contract import StoreError
from homeostat.store.etcd.failures import explain, lost

# After a member has failed, before the next is called.
PAUSE_SECONDS = 0.02

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """How long to wait for one member before another is called too, and how many calls may be under way at once."""

    patience: Backoff
    at_once_max: int


class Endpoints(Protocol):
    """What a hedged call uses of `Members`."""

    @property
    def endpoints(self) -> Sequence[str]:
        """Where they are."""
        ...

    @property
    def preferred(self) -> int:
        """The member that is called first."""
        ...

    def pass_over(self, member: int) -> None:
        """Call another one first from now on."""
        ...

    def prefer(self, member: int) -> None:
        """Call this one first from now on."""
        ...


class HedgedCall(Generic[Answer]):
    """Calls one member after another by `call` until `deadline` (monotonic seconds): by itself (`run`), or beside a
    first call. Its owner awaits that inside `first_call`, a timeout that expires when another member has answered."""

    def __init__(
        self, members: Endpoints, call: Callable[[int], Awaitable[Answer]], deadline: float, policy: HedgePolicy
    ) -> None:
        self.first_call = asyncio.timeout(None)
        self._members = members
        self._call = call
        self._deadline = deadline
        self._policy = policy
        self._said: dict[str, str] = {}
        self._others: asyncio.Task[Answer | StoreError] | None = None
        self._first_waits = True

    def start_beside(self, first: int) -> None:
        """The call of member `first` is late: call others as well."""
        if self._others is None:
            self._members.pass_over(first)
            self._others = tasks.spawn(self._outcome(), name="etcd-hedge")
            self._others.add_done_callback(self._on_answer)

    def start_after_failure(self, first: int, error: grpc.aio.AioRpcError) -> None:
        """The call of member `first` has failed: call others, unless that has begun."""
        self._first_waits = False
        self._said[self._members.endpoints[first]] = explain(error)
        self.start_beside(first)

    async def answer(self) -> Answer:
        """What another member has answered. Raises what `run` does."""
        assert self._others is not None
        found = await self._others
        if isinstance(found, StoreError):
            raise found
        return found

    def cancel(self) -> None:
        """End the calls of other members."""
        self._first_waits = False
        if self._others is not None:
            self._others.cancel()

    def _on_answer(self, others: asyncio.Task[Answer | StoreError]) -> None:
        if self._first_waits and not others.cancelled():
            self._first_waits = False
            self.first_call.reschedule(asyncio.get_running_loop().time())

    async def _outcome(self) -> Answer | StoreError:
        try:
            return await self.run()
        except StoreError as error:
            return error

    async def run(self) -> Answer:
        """Call until a member answers. Raises Unavailable naming every failure, and what a member refuses for good."""
        members, said = self._members, self._said
        pending: dict[asyncio.Task[Answer | grpc.aio.AioRpcError | StoreError], int] = {}
        called = 0
        try:
            while clock.monotonic() < self._deadline:
                if len(pending) < self._policy.at_once_max:
                    member = members.preferred
                    members.pass_over(member)
                    pending[tasks.spawn(_quiet(self._call(member)), name="etcd-hedge-call")] = member
                    called += 1
                patience = min(self._policy.patience.delay(called - 1), self._deadline - clock.monotonic())
                done, _ = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    member, found = pending.pop(task), task.result()
                    if isinstance(found, grpc.aio.AioRpcError):
                        said[members.endpoints[member]] = explain(found)
                    elif isinstance(found, StoreError):
                        raise found
                    else:
                        members.prefer(member)
                        return found
                if done:
                    await clock.sleep(PAUSE_SECONDS)
            raise lost(said, len(members.endpoints))
        finally:
            await tasks.stop(*pending)


async def _quiet(work: Awaitable[Answer]) -> Answer | grpc.aio.AioRpcError | StoreError:
    try:
        return await work
    except (grpc.aio.AioRpcError, StoreError) as error:
        return error
