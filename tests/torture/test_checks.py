"""The checks of a torture run find what they are for: each test plants one violation into a history in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from bench.torture import counters, registers, streams
from bench.torture.clients import Writer
from bench.torture.faults import FAULTS
from bench.torture.history import Change, History, Key, Listing, Operation, Outcome, Selection, Stream
from bench.torture.probing import Gap, longest
from homeostat.client.contract import Client
from homeostat.wire.message import Request, Response

A, B = ("torture-a", "register-0"), ("torture-b", "register-1")


def operation(kind: str, key: Key, at: float, revision: int, value: str | None, **more: object) -> Operation:
    made = Operation("w0", kind, key, at, at + 1.0, Outcome.DONE, value, revision)
    return replace(made, **more)  # type: ignore[arg-type]


def ordered() -> History:
    """Writes and reads, one after the other, and what three watches saw of them."""
    history = History()
    history.operations = [
        operation("write", A, 0, 11, "one"),
        operation("read", A, 2, 11, "one"),
        operation("cas", A, 4, 12, "two", expected=11),
        operation("write", B, 6, 13, "three"),
        operation("read", A, 8, 12, "two"),
        operation("create", ("torture-a", "own"), 10, 14, "own"),
        operation("delete", ("torture-b", "register-1"), 12, 0, None),
    ]
    history.listings = [
        Listing("w0", "torture-a", 14, 15, 15, {A: (12, "two"), ("torture-a", "own"): (14, "own")}),
        Listing("w0", "torture-b", 14, 15, 15, {}),
    ]
    whole = [
        Change(11, "ADDED", A, "one", "left"),
        Change(12, "MODIFIED", A, "two", "right"),
        Change(13, "ADDED", B, "three", "left"),
        Change(14, "ADDED", ("torture-a", "own"), "own", "left"),
        Change(15, "DELETED", B, "three", "left"),
    ]
    left = [
        Change(11, "ADDED", A, "one", "left"),
        Change(12, "DELETED", A, "one", "left"),
        Change(14, "ADDED", ("torture-a", "own"), "own", "left"),
    ]
    history.streams = [
        Stream("whole", Selection(), 10, whole, 15),
        Stream("left", Selection("torture-a", side="left"), 10, left, 15),
        Stream("resumed", Selection("torture-a"), 12, [whole[3]], 15),
    ]
    return history


def faults(history: History) -> list[str]:
    record = streams.Record(history.streams)
    return registers.faults(history, record.versions()) + streams.faults(history, record)


def test_a_history_in_order_has_no_fault_and_all_its_streams_are_judged() -> None:
    history = ordered()
    assert faults(history) == []
    assert streams.checked(history, streams.Record(history.streams)) == 3


def stale_read(history: History) -> None:
    history.operations[4] = operation("read", A, 8, 11, "one")


def lost_update(history: History) -> None:
    history.operations.append(operation("cas", A, 16, 16, "four", expected=11))


def refused_write_took_effect(history: History) -> None:
    history.operations[2] = replace(history.operations[2], outcome=Outcome.REFUSED, revision=0)


def write_applied_twice(history: History) -> None:
    history.operations.append(operation("read", A, 16, 16, "two"))


def write_behind_what_was_answered(history: History) -> None:
    history.operations.append(operation("write", B, 16, 9, "late"))


def acknowledged_create_lost(history: History) -> None:
    del history.listings[0].items["torture-a", "own"]


def acknowledged_delete_undone(history: History) -> None:
    history.listings[1].items[B] = (13, "three")


def list_from_the_past(history: History) -> None:
    history.listings[0] = replace(history.listings[0], revision=9)


def list_with_an_old_version(history: History) -> None:
    history.listings[0].items[A] = (11, "one")


def object_gone_without_a_delete(history: History) -> None:
    history.operations.append(operation("read", A, 16, 0, None))


def foreign_event(history: History) -> None:
    history.streams[2].changes.insert(0, Change(13, "ADDED", B, "three", "left"))


def event_left_out(history: History) -> None:
    del history.streams[1].changes[2]


def event_twice(history: History) -> None:
    history.streams[2].changes.append(history.streams[2].changes[0])


def events_reordered(history: History) -> None:
    history.streams[0].changes[0:2] = history.streams[0].changes[1::-1]


def wrong_type_of_event(history: History) -> None:
    history.streams[1].changes[1] = Change(12, "MODIFIED", A, "two", "right")


def event_of_before(history: History) -> None:
    history.streams[2].changes.insert(0, Change(12, "MODIFIED", A, "two", "right"))


def other_value(history: History) -> None:
    history.streams[2].changes[0] = Change(14, "ADDED", ("torture-a", "own"), "another", "left")


def deleted_by_nobody(history: History) -> None:
    history.streams[0].changes.append(Change(16, "DELETED", ("torture-a", "own"), "own", "left"))
    history.streams[0].passed = 16


@pytest.mark.parametrize(
    "plant",
    [
        stale_read,
        lost_update,
        refused_write_took_effect,
        write_applied_twice,
        write_behind_what_was_answered,
        acknowledged_create_lost,
        acknowledged_delete_undone,
        list_from_the_past,
        list_with_an_old_version,
        object_gone_without_a_delete,
        foreign_event,
        event_left_out,
        event_twice,
        events_reordered,
        wrong_type_of_event,
        event_of_before,
        other_value,
        deleted_by_nobody,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_violation_is_found(plant: Callable[[History], None]) -> None:
    history = ordered()
    plant(history)
    assert faults(history)


def test_a_write_of_unknown_outcome_may_have_happened_or_not() -> None:
    history = ordered()
    unknown = Operation("w1", "write", A, 9.0, outcome=Outcome.UNKNOWN, value="perhaps")
    history.operations.append(unknown)
    assert faults(history) == []
    history.operations.append(operation("read", A, 16, 16, "perhaps"))
    assert faults(history) == []


async def _cancelled_under_way(history: History) -> None:
    sent = asyncio.Event()

    class Silent:
        async def raw(self, request: Request) -> Response:
            sent.set()
            await asyncio.Event().wait()
            raise AssertionError

    writer = Writer("w0", cast("Client", Silent()), history, random.Random(1), ["torture-a"])
    task = asyncio.ensure_future(writer.run())
    await sent.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_request_under_way_at_the_end_of_the_run_is_one_of_unknown_outcome() -> None:
    history = History()
    asyncio.run(_cancelled_under_way(history))
    assert [each.outcome for each in history.operations] == [Outcome.UNKNOWN]


def test_a_stream_beyond_what_is_known_is_not_judged() -> None:
    history = ordered()
    history.streams.append(Stream("ahead", Selection("torture-c"), 15, [], 99))
    assert faults(history) == []
    assert streams.checked(history, streams.Record(history.streams)) == 3


def test_a_counter_counts_every_acknowledged_increment_once() -> None:
    key = ("torture-a", counters.COUNTER)
    history = History([operation("cas", key, at, at, counters.counted(at, "w0")) for at in (1, 2, 3)])
    versions = {key: {at: counters.counted(at, "w0") for at in range(4)}}
    assert list(counters.faults(history, versions)) == []
    lost = {key: {at: counters.counted(at, "w0") for at in range(3)}}
    doubled = {key: versions[key] | {9: counters.counted(3, "w1")}}
    for wrong in (lost, doubled):
        assert list(counters.faults(history, wrong))
    unclear = replace(history.operations[2], outcome=Outcome.UNKNOWN)
    assert list(counters.faults(History([*history.operations[:2], unclear]), lost)) == []


def test_random_histories_of_one_register_in_order_have_no_fault() -> None:
    chance = random.Random(7)
    for _ in range(50):
        history, revision, value = History(), 10, ""
        for step in range(40):
            if not value or chance.random() < 0.5:
                before, revision, value = revision, revision + chance.randrange(1, 3), f"value-{step}"
                kind = "cas" if before > 10 else "write"
                history.operations.append(operation(kind, A, 2.0 * step, revision, value, expected=before))
            else:
                history.operations.append(operation("read", A, 2.0 * step, revision, value))
        assert registers.faults(history, {}) == []


def test_a_gap_names_the_part_of_it_in_which_nobody_asked() -> None:
    answers, late = [1.0, 1.1, 4.0, 4.1, 5.5], [(0.2, 0.9), (2.0, 2.5), (3.5, 4.5)]
    assert longest(answers, 1.0, 6.0, late) == Gap(pytest.approx(2.9), pytest.approx(1.0))
    # From the beginning until now, also where nothing was answered at all.
    assert longest([], 1.0, 6.0, []) == Gap(5.0)
    assert longest([0.5, 6.5], 1.0, 6.0, []) == Gap(5.0)


def test_every_fault_undoes_itself_where_it_was_done() -> None:
    for fault in FAULTS:
        text = fault.script(["10.0.0.1", "10.0.0.2"])
        assert "{others}" not in text
        if "iptables -A" in text:
            rules = text.split(f"sleep {fault.seconds:g};")
            assert rules[0].replace("iptables -A", "iptables -D").strip("; ") == rules[1].strip("; ")
        if "-STOP" in text:
            assert text.index("-STOP") < text.index("sleep") < text.index("-CONT")
        assert fault.order in ("", "cut", "power") and (fault.order or fault.begin)
