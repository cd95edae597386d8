"""How long a write waits for a member: shortly while writes are quick, longer while all of them are late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from homeostat.kit import clock, tasks, virtual
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.failures import Unknown
from homeostat.store.etcd.members import ATTEMPT_SECONDS, Members


class Slow(Members):
    """Members that take so many seconds for a write."""

    def __init__(self, needs: Callable[[], float]) -> None:
        super().__init__(["a:1", "b:1", "c:1"])
        self.given: list[float] = []
        self._needs = needs

    async def once(self, member: int, path: str, request: Any, answer: Any, *, seconds: float) -> Any:
        self.given.append(seconds)
        await clock.sleep(min(self._needs(), seconds))
        if self._needs() > seconds:
            empty = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, empty, empty, "Deadline Exceeded")
        return answer()


async def write(members: Slow) -> bool:
    """Whether it was answered in time."""
    try:
        await members.write("/Txn", rpc.TxnRequest(), rpc.TxnResponse, deadline=clock.monotonic() + 2)
    except Unknown:
        return False
    return True


def test_writes_that_are_late_again_and_again_are_waited_for_longer() -> None:
    """On a machine that boots two masters a write takes half a second: given up sooner, none would ever be answered."""

    async def story() -> None:
        needs = 0.5
        members = Slow(lambda: needs)
        answered = [await write(members) for _ in range(4)]
        assert answered == [False, False, True, True]
        assert members.given == [pytest.approx(ATTEMPT_SECONDS.delay(n)) for n in (0, 1, 2, 2)]
        needs = 0.01
        await write(members)
        await write(members)
        assert members.given[-1] == ATTEMPT_SECONDS.first_seconds, "quick again: a hung member is left soon"

    virtual.run(story, seed=1)


def test_writes_that_were_sent_together_are_late_once() -> None:
    async def story() -> None:
        members = Slow(lambda: 9.0)
        together = [tasks.spawn(write(members), name="write") for _ in range(50)]
        for each in together:
            assert not await each
        await write(members)
        assert members.given[-1] == pytest.approx(ATTEMPT_SECONDS.delay(1))

    virtual.run(story, seed=1)
