"""Reads where members are slow, hung or gone: others are called as well, and the first answer counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
import pytest

from homeostat.kit import clock, virtual
from homeostat.store.contract import Unavailable
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.failures import CompactedThere
from homeostat.store.etcd.members import ATTEMPT_SECONDS, CALL_SECONDS_MAX, Members

FIRST = ATTEMPT_SECONDS.first_seconds
NEVER = 1e9


class Timed(Members):
    """Members that answer after so many seconds each; those with an error say that."""

    def __init__(self, seconds: Mapping[int, float], errors: Mapping[int, Exception] | None = None) -> None:
        super().__init__(["a:1", "b:1", "c:1"])
        self.asked: list[int] = []
        self.out = self.out_max = 0
        self._seconds, self._errors = seconds, errors or {}

    async def once(self, member: int, path: str, request: Any, answer: Any, *, seconds: float) -> Any:
        self.asked.append(member)
        self.out += 1
        self.out_max = max(self.out, self.out_max)
        try:
            await clock.sleep(min(self._seconds[member], seconds))
        finally:
            self.out -= 1
        if self._seconds[member] > seconds:
            raise failure(grpc.StatusCode.DEADLINE_EXCEEDED)
        if member in self._errors:
            raise self._errors[member]
        return member


def failure(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, empty, empty, code.name)


def read(members: Timed) -> tuple[Any, float]:
    """Who answered, and after how many seconds."""
    return played(lambda: members.read("/Range", rpc.RangeRequest(), rpc.RangeResponse), members)


def played(work: Callable[[], Awaitable[Any]], members: Timed) -> tuple[Any, float]:
    async def main() -> tuple[Any, float]:
        began = clock.monotonic()
        try:
            found = await work()
        except Unavailable as error:
            found = str(error)
        took = clock.monotonic() - began
        await clock.sleep(0.001)
        assert members.out == 0, "nobody is asked any more"
        return found, took

    result: list[tuple[Any, float]] = []

    async def note() -> None:
        result.append(await main())

    virtual.run(note, seed=1)
    return result[0]


def test_a_quick_member_is_the_only_one_that_is_asked() -> None:
    members = Timed({0: 0.01, 1: 0.0, 2: 0.0})
    assert read(members) == (0, pytest.approx(0.01))
    assert members.asked == [0]


def test_where_all_are_slow_the_first_answer_counts_and_no_question_is_begun_anew() -> None:
    members = Timed({0: 0.9, 1: 0.9, 2: 0.9})
    assert read(members) == (0, pytest.approx(0.9))
    assert members.asked == [0, 1, 2]


def test_a_hung_member_costs_its_patience() -> None:
    members = Timed({0: NEVER, 1: 0.01, 2: 0.01})
    assert read(members) == (1, pytest.approx(FIRST + 0.01))
    assert members.preferred == 1, "who has answered is asked first"


def test_a_member_that_is_gone_costs_nothing() -> None:
    members = Timed({0: 0.0, 1: 0.01, 2: 0.0}, {0: failure(grpc.StatusCode.UNAVAILABLE)})
    assert read(members) == (1, pytest.approx(0.01))


def test_a_first_member_that_fails_late_does_not_end_the_question() -> None:
    members = Timed({0: 0.3, 1: 0.2, 2: 0.2}, {0: failure(grpc.StatusCode.UNAVAILABLE)})
    assert read(members) == (1, pytest.approx(FIRST + 0.2))


def test_what_a_member_refuses_for_good_is_reported_by_any() -> None:
    members = Timed({0: NEVER, 1: 0.0, 2: 0.0}, {1: CompactedThere("7")})

    async def main() -> None:
        with pytest.raises(CompactedThere):
            await members.read("/Range", rpc.RangeRequest(), rpc.RangeResponse)

    virtual.run(main, seed=1)


def test_without_any_answer_it_ends_in_time_and_says_what_each_said() -> None:
    members = Timed({0: NEVER, 1: NEVER, 2: 0.0}, {2: failure(grpc.StatusCode.UNAVAILABLE)})
    failure_text, took = read(members)
    assert took == pytest.approx(CALL_SECONDS_MAX, abs=0.1)
    assert all(endpoint in failure_text for endpoint in members.endpoints)
    assert members.out_max <= 3
    assert len(members.asked) < 60
