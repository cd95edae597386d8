"""Commits whose response is lost: finds out whether they happened before it retries them.

A transaction that was sent and not answered may have happened, and may still happen: it may wait in some member's
queue. So the handle first raises its *fence*, a key that every transaction of the handle compares with. Once the fence
is up, nothing that was sent before can happen any more, and the marks in `log` between the moment it was sent and the
fence show what did happen. What did is acknowledged at its revision; what did not is sent again. One fence serves all
who wait.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import grpc.aio

from homeostat.kit import chance, clock, tasks
from homeostat.kit.log import logger
from homeostat.store.contract import Stale, StoreError, Unavailable
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.failures import CompactedThere, Unknown
from homeostat.store.etcd.keys import Commit, Layout
from homeostat.store.etcd.members import Members
from homeostat.store.etcd.watching import WATCH

_TXN = "/etcdserverpb.KV/Txn"
# Sent and not answered at once: so many take a loaded machine a twentieth of a second.
_SENT_MAX = 128
_MARKS_SECONDS_MAX = 0.5

_log = logger("store.etcd")


@dataclass(eq=False, slots=True)
class _UnknownOutcome:
    """A commit whose outcome is unknown: `since` when (etcd's revision), and its revision (None: no)."""

    token: bytes
    epoch: int
    since: int
    answer: asyncio.Future[int | None]


class Commits:
    """The commits of one handle. `newest` is the newest revision (ours) that it was acknowledged."""

    def __init__(self, members: Members, layout: Layout) -> None:
        self.newest = 0
        self._members = members
        self._layout = layout
        self._handle = bytes.fromhex(chance.token_hex(8))
        self._fence = layout.fence_prefix + self._handle.hex().encode()
        self._epoch = 0
        self._count = 0
        # The newest revision of etcd in any answer.
        self._seen = 1
        self._unknown_outcomes: list[_UnknownOutcome] = []
        self._settling: asyncio.Task[None] | None = None
        self._under_way = 0
        self._room = asyncio.Semaphore(_SENT_MAX)
        self._idle = asyncio.Event()

    def saw(self, revision: int) -> None:
        """An answer said that etcd is at `revision`."""
        self._seen = max(self._seen, revision)

    async def close(self, *, seconds_max: float) -> None:
        """Wait for the commits under way, for so long."""
        self._idle.clear()
        if self._under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds_max):
                    await self._idle.wait()
        await tasks.stop(self._settling)

    async def commit(self, key: str, expected: int, value: bytes, *, delete: bool) -> int:
        """See `Store.commit`. When the caller is cancelled, the write may still happen."""
        self._count += 1
        commit = Commit(key, expected, value, delete, self._handle + self._count.to_bytes(8, "big"))
        self._under_way += 1
        try:
            async with self._room:
                revision = self._layout.ours(await self._commit(commit))
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        self.newest = max(self.newest, revision)
        return revision

    async def _commit(self, commit: Commit) -> int:
        """The same, at etcd's revision."""
        seconds_max = self._members.call_seconds
        deadline = clock.monotonic() + seconds_max
        while True:
            epoch, since = self._epoch, self._seen
            request = self._layout.commit(commit, self._fence, epoch)
            try:
                answer = await self._members.write(_TXN, request, rpc.TxnResponse, deadline=deadline)
            except Unknown as error:
                _log.debug("commit of %s: %s", commit.key, error)
                happened = await self._ask(commit.token, epoch, since)
                if happened is not None:
                    return happened
                if clock.monotonic() >= deadline:
                    raise Unavailable(f"etcd did not take the write in {seconds_max:g} s: {error}") from error
                continue
            self.saw(answer.header.revision)
            if answer.succeeded:
                return int(answer.header.revision)
            held, fence = (part.response_range.kvs for part in answer.responses)
            raised = fence[0].version if fence else 0
            if raised == epoch:
                raise Stale(commit.key, self._layout.entry(held[0]) if held else None)
            self._epoch = max(self._epoch, raised)

    async def _ask(self, token: bytes, epoch: int, since: int) -> int | None:
        """The revision of a commit of unknown outcome; None when it has not happened and never will. Raises
        Unavailable."""
        outcome = _UnknownOutcome(token, epoch, since, asyncio.get_running_loop().create_future())
        self._unknown_outcomes.append(outcome)
        if self._settling is None or self._settling.done():
            self._settling = tasks.spawn(self._settle(), name="etcd-settle")
        return await outcome.answer

    async def _settle(self) -> None:
        """Raise the fence and resolve all unknown outcomes, until there are none."""
        reason = "the store was closed"
        try:
            while self._unknown_outcomes:
                await self._settle_some()
        except StoreError as error:
            reason = str(error)
        finally:
            outcomes, self._unknown_outcomes = self._unknown_outcomes, []
            for outcome in outcomes:
                if not outcome.answer.done():
                    outcome.answer.set_exception(Unavailable(f"it is not known whether the write happened: {reason}"))

    async def _settle_some(self) -> None:
        epoch = self._epoch
        end = await self._raise_fence(epoch)
        # Commits of unknown outcome under this epoch can have happened before the fence only.
        batch = [outcome for outcome in self._unknown_outcomes if outcome.epoch <= epoch]
        marks = await self._marks(min([outcome.since for outcome in batch], default=end), end)
        self._unknown_outcomes = [outcome for outcome in self._unknown_outcomes if outcome not in batch]
        for outcome in batch:
            if not outcome.answer.done():
                outcome.answer.set_result(marks.get(outcome.token))

    async def _raise_fence(self, epoch: int) -> int:
        """Raise the fence above `epoch`, even if another handle has done so; returns etcd's revision at which it was
        raised."""
        request = rpc.TxnRequest(
            compare=[rpc.Compare(target=rpc.Compare.Target.VERSION, key=self._fence, version=epoch)],
            success=[rpc.RequestOp(request_put=rpc.PutRequest(key=self._fence))],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=self._fence))],
        )
        answer = await self._members.call_all(_TXN, request, rpc.TxnResponse)
        if answer.succeeded:
            self._epoch = max(self._epoch, epoch + 1)
            return int(answer.header.revision)
        # An earlier attempt did it, and only its answer was lost.
        held = answer.responses[0].response_range.kvs[0]
        self._epoch = max(self._epoch, held.version)
        return int(held.mod_revision)

    async def _marks(self, start: int, end: int) -> dict[bytes, int]:
        """Who committed at which of etcd's revisions, from `start` until the fence was raised at `end`."""
        deadline = clock.monotonic() + self._members.call_seconds
        while True:
            member = self._members.preferred
            try:
                async with asyncio.timeout(_MARKS_SECONDS_MAX):
                    return await self._read_marks(member, start, end)
            except CompactedThere as error:
                # The unknown outcomes are seconds old, what is compacted is minutes old.
                start = int(str(error))
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                self._members.pass_over(member)
                if clock.monotonic() >= deadline:
                    raise Unavailable(f"etcd's history cannot be read: {error}") from error

    async def _read_marks(self, member: int, start: int, end: int) -> dict[bytes, int]:
        call = self._members.stream(member, WATCH, rpc.WatchResponse)
        marks: dict[bytes, int] = {}
        try:
            await call.write(rpc.WatchRequest(create_request=self._layout.watch_log(start)))
            while (answer := await call.read()) is not grpc.aio.EOF:
                if answer.compact_revision:
                    raise CompactedThere(str(answer.compact_revision))
                if answer.canceled:
                    break
                for event in answer.events:
                    if event.kv.key == self._layout.log_key:
                        marks[self._layout.token(event.kv.value)] = event.kv.mod_revision
                    elif event.kv.key == self._fence and event.kv.mod_revision >= end:
                        return marks
        finally:
            call.cancel()
        raise TimeoutError("the stream has ended")
