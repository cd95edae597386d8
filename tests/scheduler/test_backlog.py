"""Pods that wait for a node: their order, and when those that fit nowhere are tried again."""

from __future__ import annotations

import pytest

from homeostat.kit.backoff import Backoff
from homeostat.scheduler.backlog import Backlog, Waiting
from homeostat.scheduler.podinfo import PodInfo, pod_info
from tests.support import scheduling
from tests.support.scheduling import info


def backlog(*pods: PodInfo) -> Backlog:
    made = Backlog(Backoff(first_seconds=1, ceiling_seconds=10))
    for number, pod in enumerate(pods):
        made.add(pod, float(number))
    return made


def take(waiting: Backlog, now: float) -> Waiting:
    found = waiting.pop(now)
    assert found is not None
    return found


def name(found: Waiting | None) -> str:
    return found.pod.key.removeprefix("default/") if found else ""


def drain(waiting: Backlog, now: float) -> list[str]:
    names = []
    while found := waiting.pop(now):
        names.append(name(found))
    return names


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        ([0, 0, 0], [0, 1, 2]),
        ([0, 5, 0], [1, 0, 2]),
        ([-1, 0, 2_000_000_000], [2, 1, 0]),
        ([5, 5, 9, 9], [2, 3, 0, 1]),
    ],
)
def test_priority_decides_and_then_age(priorities: list[int], expected: list[int]) -> None:
    waiting = backlog(*(info(str(number), priority=priority) for number, priority in enumerate(priorities)))
    assert drain(waiting, 10.0) == [str(number) for number in expected]


def test_a_pod_comes_up_once_however_often_it_was_added() -> None:
    pod = info("p")
    waiting = backlog(pod, pod, pod)
    assert len(waiting) == 1
    assert drain(waiting, 5.0) == ["p"]


def test_pauses_double_from_one_second_to_ten() -> None:
    waiting = backlog(info("p"))
    now, pauses = 0.0, []
    for _ in range(7):
        found = take(waiting, now)
        waiting.no_node(found, now)
        waiting.cluster_changed(now)
        due = waiting.next_moment()
        assert due is not None
        assert waiting.pop(due - 0.001) is None
        pauses.append(due - now)
        now = due
    assert pauses == [1, 2, 4, 8, 10, 10, 10]


def test_the_pause_counts_from_the_miss_and_not_from_the_change() -> None:
    """A change long after the miss brings the pod up at once."""
    waiting = backlog(info("p"))
    waiting.no_node(take(waiting, 0.0), 0.0)
    waiting.cluster_changed(30.0)
    assert name(waiting.pop(30.0)) == "p"


def test_a_change_that_helps_one_leaves_the_other_waiting() -> None:
    waiting = backlog(info("one"), info("two"))
    for _ in range(2):
        waiting.no_node(take(waiting, 5.0), 5.0)
    waiting.cluster_changed(20.0, lambda pod: pod.key == "default/two")
    assert drain(waiting, 20.0) == ["two"]
    waiting.cluster_changed(20.0)
    assert drain(waiting, 20.0) == ["one"]


def test_pods_that_back_off_do_not_hold_others_up() -> None:
    waiting = backlog(info("vip", priority=9))
    waiting.no_node(take(waiting, 0.0), 0.0)
    waiting.cluster_changed(0.0)
    waiting.add(info("plain"), 0.1)
    assert drain(waiting, 0.5) == ["plain"]
    assert drain(waiting, 1.0) == ["vip"]


def test_a_pod_whose_spec_changed_is_tried_at_once() -> None:
    waiting = backlog(info("p"))
    found = take(waiting, 0.0)
    waiting.no_node(found, 0.0)
    changed = scheduling.pod("p")
    changed["metadata"]["uid"] = found.pod.uid
    waiting.add(pod_info(changed), 0.1)
    assert waiting.pop(0.2) is None, "nothing that matters has changed"
    changed["metadata"]["labels"] = {"new": "label"}
    waiting.add(pod_info(changed), 0.3)
    assert take(waiting, 0.3).pod.labels == {"new": "label"}


def test_a_new_pod_of_the_same_name_starts_over() -> None:
    waiting = backlog(info("p"))
    for moment in (100.0, 200.0, 300.0):
        waiting.no_node(take(waiting, moment), moment)
        waiting.cluster_changed(moment + 50.0)
    waiting.add(info("p"), 400.0)
    again = take(waiting, 400.0)
    assert again.tries == 1
    assert waiting.pop(1000.0) is None


@pytest.mark.parametrize("stage", ["active", "without node", "backing off", "popped"])
def test_a_removed_pod_never_comes_up_again(stage: str) -> None:
    waiting = backlog(info("p"))
    if stage != "active":
        found = take(waiting, 0.0)
        if stage != "popped":
            waiting.no_node(found, 0.0)
        if stage == "backing off":
            waiting.cluster_changed(0.0)
    waiting.remove("default/p")
    waiting.cluster_changed(500.0)
    waiting.flush(1000.0)
    assert waiting.pop(1000.0) is None
    assert len(waiting) == 0


def test_a_failed_write_backs_off_from_the_failure() -> None:
    waiting = backlog(info("p"))
    found = take(waiting, 0.0)
    waiting.remove("default/p")  # it was assumed on a node
    waiting.add_failed(found, 7.0)
    assert waiting.next_moment() == 8.0
    assert waiting.pop(7.9) is None
    assert waiting.pop(8.0) is found


def test_nothing_is_due_while_no_pod_backs_off() -> None:
    waiting = backlog(info("p"))
    assert waiting.next_moment() is None
    waiting.no_node(take(waiting, 0.0), 0.0)
    assert waiting.next_moment() is None
