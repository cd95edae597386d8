"""The pod's next actions: pure decisions over what runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.node.decide.lifecycle import POD, PodEvent, PodState
from homeostat.node.decide.plan import Kill, Plan, Prune, RunSandbox, Start, plan
from homeostat.node.podspec import spec
from homeostat.node.podspec.view import CrashBackoff, View
from homeostat.runtime.contract import (
    CONTAINER,
    Container,
    ContainerEvent,
    ContainerSpec,
    ContainerState,
    Sandbox,
    SandboxSpec,
)
from homeostat.runtime.lifecycle_table import IllegalMove

NOW = 1000.0
Obj = dict[str, Any]


def pod(*names: str, inits: tuple[Obj, ...] = (), **more: Any) -> Obj:
    containers = [{"name": name, "image": "app:1"} for name in names or ("main",)]
    metadata = {"name": "web", "namespace": "default", "uid": "u"}
    return {"metadata": metadata, "spec": {"containers": containers, "initContainers": list(inits), **more}}


def box(*, ready: bool = True, attempt: int = 0) -> Sandbox:
    return Sandbox(f"box-{attempt}", SandboxSpec("u", "default", "web", attempt), "10.0.0.1", 1.0, ready)


def made(name: str, state: ContainerState, code: int = 0, attempt: int = 0, at: float = NOW - 1) -> Container:
    image = spec.container_hash({"name": name, "image": "app:1"})
    made_spec = ContainerSpec(name=name, image="app:1", attempt=attempt, spec_hash=image)
    return Container(f"{name}-{attempt}", "box-0", "u", made_spec, state, 1.0, 2.0, at, code)


def view(*containers: Container, sandbox: Sandbox | None = None, **more: Any) -> View:
    by_name: dict[str, list[Container]] = {}
    for container in containers:
        by_name.setdefault(container.spec.name, []).append(container)
    return View(sandboxes=(sandbox or box(),), containers=by_name, **more)


def started(result: Plan) -> list[tuple[str, int]]:
    return [(a.container["name"], a.attempt) for a in result.actions if isinstance(a, Start)]


RUNNING, EXITED, CREATED = ContainerState.RUNNING, ContainerState.EXITED, ContainerState.CREATED


def test_a_sandbox_comes_first() -> None:
    assert plan(pod(), View(), NOW).actions == [RunSandbox(0)]


def test_a_stopped_sandbox_is_followed_by_another_and_all_starts_over() -> None:
    result = plan(pod(), view(made("main", EXITED), sandbox=box(ready=False, attempt=2)), NOW)
    assert result.actions == [RunSandbox(3)]


def test_all_app_containers_start_at_once() -> None:
    assert started(plan(pod("a", "b"), view(), NOW)) == [("a", 0), ("b", 0)]


def test_what_runs_is_left_alone() -> None:
    result = plan(pod(), view(made("main", RUNNING)), NOW)
    assert (result.actions, result.wake_at, result.completed) == ([], None, False)


def test_an_agent_that_died_between_create_and_start_starts_over() -> None:
    result = plan(pod(), view(made("main", CREATED, attempt=2)), NOW)
    assert result.actions[0] == Prune("main-2")
    assert started(result) == [("main", 2)]


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policies(policy: str, code: int, again: bool) -> None:
    result = plan(pod(restartPolicy=policy), view(made("main", EXITED, code)), NOW)
    assert bool(started(result)) is again
    assert result.completed is not again


def test_one_container_that_goes_on_keeps_the_pod_open() -> None:
    ended, going = made("a", EXITED, 1), made("b", RUNNING)
    assert not plan(pod("a", "b", restartPolicy="Never"), view(ended, going), NOW).completed


def test_on_failure_leaves_what_has_succeeded_beside_what_runs() -> None:
    world = view(made("a", EXITED, code=0), made("b", RUNNING))
    assert plan(pod("a", "b", restartPolicy="OnFailure"), world, NOW).actions == []
    world = view(made("a", EXITED, code=1), made("b", RUNNING))
    assert started(plan(pod("a", "b", restartPolicy="OnFailure"), world, NOW)) == [("a", 1)]


def test_a_container_in_its_backoff_waits_and_says_how_long() -> None:
    backoff = CrashBackoff(10, 300).restarted(900, 901).restarted(950, 951)
    result = plan(pod(), view(made("main", EXITED, 1, at=NOW - 5), backoffs={"main": backoff}), NOW)
    assert started(result) == []
    assert result.wake_at == NOW + 15
    waiting = result.waiting["main"]
    assert waiting.message == "back-off 20s restarting failed container=main pod=web_default(u)"


def test_backoff_doubles_to_its_ceiling_and_is_forgotten_after_twice_that() -> None:
    backoff, moment, delays = CrashBackoff(10, 300), 0.0, []
    for _ in range(8):
        backoff = backoff.restarted(moment, backoff.ends_at(moment))
        delays.append(backoff.delay)
        moment = backoff.updated_at + 1
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]
    late = backoff.updated_at + 601
    assert backoff.ends_at(late) == late
    assert backoff.restarted(late, late).delay == 10


def test_no_back_off_is_longer_than_the_ceiling_not_even_the_first() -> None:
    """pkg/kubelet/kubelet.go: a maxContainerRestartPeriod below the initial pause replaces it."""
    backoff = CrashBackoff(10, 2).restarted(900, 901)
    assert backoff.delay == 2 and backoff.restarted(902, 904).delay == 2


def test_init_containers_go_one_by_one() -> None:
    first, second = {"name": "first", "image": "app:1"}, {"name": "second", "image": "app:1"}
    wanted = pod(inits=(first, second))
    assert started(plan(wanted, view(), NOW)) == [("first", 0)]
    assert started(plan(wanted, view(made("first", RUNNING)), NOW)) == []
    assert started(plan(wanted, view(made("first", EXITED)), NOW)) == [("second", 0)]
    assert started(plan(wanted, view(made("first", EXITED), made("second", EXITED)), NOW)) == [("main", 0)]


def test_init_containers_are_not_repeated_once_the_app_exists() -> None:
    wanted = pod(inits=({"name": "first", "image": "app:1"},))
    assert started(plan(wanted, view(made("main", RUNNING)), NOW)) == []


def test_a_failed_init_container_is_repeated_unless_the_policy_says_never() -> None:
    first = {"name": "first", "image": "app:1"}
    failed = made("first", EXITED, 1)
    assert started(plan(pod(inits=(first,)), view(failed), NOW)) == [("first", 1)]
    never = plan(pod(inits=(first,), restartPolicy="Never"), view(failed), NOW)
    assert (started(never), never.completed) == ([], True)


def test_a_sidecar_must_have_started_before_the_next_begins() -> None:
    side = {"name": "side", "image": "app:1", "restartPolicy": "Always"}
    wanted = pod(inits=(side,))
    running = made("side", RUNNING)
    assert started(plan(wanted, view(running), NOW)) == []
    assert started(plan(wanted, view(running, started=frozenset({running.id})), NOW)) == [("main", 0)]


def test_a_sidecar_is_restarted_beside_the_app_whatever_the_policy() -> None:
    side = {"name": "side", "image": "app:1", "restartPolicy": "Always"}
    result = plan(pod(inits=(side,), restartPolicy="Never"), view(made("main", RUNNING), made("side", EXITED)), NOW)
    assert started(result) == [("side", 1)]


def test_a_container_whose_liveness_probe_failed_is_killed() -> None:
    running = made("main", RUNNING)
    (kill,) = plan(pod(), view(running, liveness_failed={running.id: "why"}), NOW).actions
    assert kill == Kill(pod()["spec"]["containers"][0], running.id, "why")


def test_a_failed_try_is_not_repeated_before_its_pause_is_over() -> None:
    result = plan(pod(), view(holds={"main": NOW + 3}), NOW)
    assert (result.actions, result.wake_at) == ([], NOW + 3)
    assert plan(pod(), View(holds={"": NOW + 3}), NOW).wake_at == NOW + 3


def test_only_some_ended_containers_are_kept() -> None:
    ended = [made("main", EXITED, attempt=attempt) for attempt in (5, 4, 3, 2)]
    result = plan(pod(), view(made("main", RUNNING, attempt=6), *ended), NOW)
    assert result.actions == [Prune("main-4"), Prune("main-3"), Prune("main-2")]


def test_the_latest_container_is_kept_beside_the_ended_ones() -> None:
    ended = [made("main", EXITED, attempt=attempt) for attempt in (3, 2, 1)]
    result = plan(pod("main", restartPolicy="Never"), view(*ended), NOW, dead_kept=1)
    assert [action for action in result.actions if isinstance(action, Prune)] == [Prune("main-1")]


def test_the_deadline_ends_everything_and_is_a_reason_to_wake() -> None:
    wanted = pod(activeDeadlineSeconds=60) | {"status": {"startTime": "1970-01-01T00:16:00Z"}}
    assert plan(wanted, view(made("main", RUNNING)), 1019.0).wake_at == 1020.0
    late = plan(wanted, view(made("main", RUNNING)), 1020.0)
    assert (late.expired, late.actions) == (True, [])


_STATES = st.sampled_from([None, CREATED, RUNNING, EXITED])


@given(
    states=st.lists(st.tuples(_STATES, st.sampled_from([0, 1])), min_size=3, max_size=3),
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
)
def test_whatever_runs_no_running_container_is_started_twice_and_the_pod_never_stalls(
    states: list[tuple[ContainerState | None, int]], policy: str
) -> None:
    names = ("first", "a", "b")
    containers = [made(name, state, code) for name, (state, code) in zip(names, states, strict=True) if state]
    wanted = pod("a", "b", inits=({"name": "first", "image": "app:1"},), restartPolicy=policy)
    seen = view(*containers)
    result = plan(wanted, seen, NOW)
    running = {container.spec.name for container in seen.running()}
    assert not running & {name for name, _ in started(result)}
    if not result.completed and not result.actions:
        assert running or result.wake_at is not None


def test_an_illegal_move_raises_and_the_tables_reach_every_state() -> None:
    with pytest.raises(IllegalMove, match="no move for 'stopped' in state 'syncing'"):
        POD.move(PodState.SYNCING, PodEvent.STOPPED)
    with pytest.raises(IllegalMove):
        CONTAINER.move(ContainerState.EXITED, ContainerEvent.STARTED)
    for table, states in ((POD, PodState), (CONTAINER, ContainerState)):
        assert {table.start, *table.moves.values()} == set(states)


def test_the_diagram_is_drawn_from_the_table() -> None:
    drawn = POD.diagram()
    assert "    [*] --> new\n" in drawn
    assert "    terminating --> terminated: stopped\n" in drawn
    assert drawn.endswith("    finished --> [*]\n")
