"""Resizing and ephemeral containers, decided: what is given, what is planned, what the status and its patch say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homeostat.node.decide import resize
from homeostat.node.decide.plan import Kill, Prune, PruneSandbox, Resize, Start, plan
from homeostat.node.decide.status import Facts, pod_status
from homeostat.node.decide.status_patch import status_patch
from homeostat.node.podspec.view import FailureReason, View
from homeostat.runtime.contract import Container, ContainerSpec, ContainerState, Resources, Sandbox, SandboxSpec

Obj = dict[str, Any]
NOW = 1_800_000_000.0
SMALL, LARGE = {"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}
HAS = Resources(cpu_shares=1024, cpu_quota=100_000, cpu_period=100_000, memory_limit_bytes=1 << 26, oom_score_adj=7)
ALLOCATABLE = {"cpu": "4", "memory": "8Gi"}


def pod(resources: Obj | None = None, **more: Any) -> Obj:
    main = {"name": "main", "image": "app:1", **({"resources": resources} if resources else {}), **more.pop("main", {})}
    metadata = {"name": "web", "namespace": "default", "uid": "u-1", "generation": 2}
    return {"metadata": metadata, "spec": {"containers": [main], **more}, "status": {}}


def runs(name: str = "main", *, state: ContainerState = ContainerState.RUNNING, has: Resources = HAS) -> Container:
    from homeostat.node.podspec import spec

    wanted = ContainerSpec(
        name, "app:1", spec_hash=spec.container_hash({"name": name, "image": "app:1"}), resources=has
    )
    return Container(f"id-{name}", "s-1", "u-1", wanted, state, NOW, started_at=NOW)


def view(*containers: Container, **more: Any) -> View:
    box = Sandbox("s-1", SandboxSpec("u-1", "default", "web"), "10.1.0.7", NOW)
    return View((box,), {container.spec.name: (container,) for container in containers}, **more)


# What a pod is given: pkg/kubelet/allocation


def test_what_a_pod_has_is_what_its_status_says_else_what_it_wants() -> None:
    wanted = pod(LARGE)
    assert resize.former_sizes(wanted) == {"main": LARGE}
    wanted["status"] = {"containerStatuses": [{"name": "main", "resources": SMALL}, {"name": "gone", "resources": {}}]}
    assert resize.former_sizes(wanted) == {"main": SMALL}


def test_a_pod_with_its_given_sizes_is_another_only_where_it_differs() -> None:
    wanted = pod(LARGE, initContainers=[{"name": "init"}])
    assert resize.sized(wanted, {"init": {}, "main": LARGE}) is wanted
    made = resize.sized(wanted, {"init": {}, "main": SMALL})
    assert made["spec"]["containers"][0]["resources"] == SMALL
    assert wanted["spec"]["containers"][0]["resources"] == LARGE, "the object itself stays as it is"


@pytest.mark.parametrize(
    ("resources", "no_room", "reason", "message"),
    [
        (LARGE, None, "", ""),
        (
            {"requests": {"cpu": "5"}}, None, "Infeasible",
            "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000",
        ),
        (
            {"requests": {"memory": "9Gi"}}, None, "Infeasible",
            "Node didn't have enough capacity: memory, requested: 9663676416, capacity: 8589934592",
        ),
        (
            LARGE, FailureReason("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu"), "Deferred",
            "Node didn't have enough resource: cpu",
        ),
    ],
)  # fmt: skip
def test_why_a_size_cannot_be_given(resources: Obj, no_room: FailureReason | None, reason: str, message: str) -> None:
    found = resize.refusal(pod(resources), ALLOCATABLE, no_room)
    assert ((found or {}).get("reason", ""), (found or {}).get("message", "")) == (reason, message)


# What is planned


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ()),
        ({"oom_score_adj": 999}, ()),
        ({"cpu_shares": 2}, ("cpu",)),
        ({"cpu_quota": 5}, ("cpu",)),
        ({"memory_limit_bytes": 5}, ("memory",)),
        ({"memory_limit_bytes": 5, "cpu_quota": 5}, ("cpu", "memory")),
    ],
)
def test_what_can_change_while_a_container_runs(change: Obj, names: tuple[str, ...]) -> None:
    assert resize.changed(HAS, replace(HAS, **change)) == names


RESTART = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}, {"resourceName": "cpu"}]


@pytest.mark.parametrize(
    ("policy", "wanted", "action"),
    [
        ([], replace(HAS, cpu_shares=2048, oom_score_adj=0), Resize("id-main", replace(HAS, cpu_shares=2048))),
        (RESTART, replace(HAS, cpu_shares=2048), Resize("id-main", replace(HAS, cpu_shares=2048))),
        (RESTART, replace(HAS, memory_limit_bytes=5), "Container main resize requires restart"),
        ([], HAS, None),
    ],
)
def test_a_running_container_gets_its_size_or_is_restarted(policy: list, wanted: Resources, action: Any) -> None:
    found = plan(pod(main={"resizePolicy": policy}), view(runs(), sizes={"main": wanted}), NOW).actions
    if isinstance(action, str):
        [kill] = found
        assert isinstance(kill, Kill) and kill.message == action
    else:
        assert found == ([action] if action else [])


def test_what_does_not_run_is_not_resized() -> None:
    ended = runs(state=ContainerState.EXITED)
    [start] = plan(pod(), view(ended, sizes={"main": replace(HAS, cpu_shares=2)}), NOW).actions
    assert isinstance(start, Start)


DEBUG = {"name": "debug", "image": "app:1", "targetContainerName": "main"}


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (None, Start),
        (runs("debug"), None),
        (runs("debug", state=ContainerState.EXITED), None),
        (runs("debug", state=ContainerState.CREATED), Prune),
    ],
)
def test_an_ephemeral_container_is_started_once(found: Container | None, action: type | None) -> None:
    made = view(runs(), found) if found else view(runs())
    planned = plan(pod(ephemeralContainers=[DEBUG]), made, NOW).actions
    assert type(planned[0]) is action if action else planned == []


def test_an_ephemeral_container_waits_out_its_hold_and_does_not_wait_for_init_containers() -> None:
    wanted = pod(ephemeralContainers=[DEBUG], initContainers=[{"name": "init", "image": "app:1"}])
    planned = plan(wanted, view(runs("init")), NOW).actions
    assert [action.container["name"] for action in planned if isinstance(action, Start)] == ["debug"]
    held = plan(wanted, view(runs("init"), holds={"debug": NOW + 5}), NOW)
    assert held.actions == [] and held.wake_at == NOW + 5


def test_ephemeral_containers_do_not_keep_a_pod_from_its_end() -> None:
    wanted = pod(ephemeralContainers=[DEBUG], restartPolicy="Never")
    assert plan(wanted, view(runs(state=ContainerState.EXITED), runs("debug")), NOW).completed


# What the status says


def facts(**more: Any) -> Facts:
    return Facts("10.0.0.1", "containerd", NOW, NOW, {}, **more)


def conditions_of(status: Obj) -> dict[str, Obj]:
    return {condition["type"]: condition for condition in status["conditions"]}


def test_the_status_reports_what_each_container_has() -> None:
    status = pod_status(pod(LARGE), view(runs()), facts(given={"main": {"limits": {"cpu": "2", "memory": "1Gi"}}}))
    [main] = status["containerStatuses"]
    assert main["resources"] == {"limits": {"cpu": "2", "memory": "1Gi"}}
    assert main["allocatedResources"] == {"cpu": "2", "memory": "1Gi"}
    [main] = pod_status(pod(), view(runs()), facts())["containerStatuses"]
    assert "resources" not in main and "allocatedResources" not in main


def test_a_resize_under_way_is_a_condition_until_it_is_done() -> None:
    during = pod_status(pod(), view(runs(), sizes={"main": replace(HAS, cpu_shares=2)}), facts())
    assert conditions_of(during)["PodResizeInProgress"]["status"] == "True"
    assert conditions_of(during)["PodResizeInProgress"]["observedGeneration"] == 2
    after = pod_status(pod(), view(runs(), sizes={"main": HAS}), facts())
    assert "PodResizeInProgress" not in conditions_of(after)
    patch = status_patch(during, after, "now")
    assert patch == {"conditions": [{"$patch": "delete", "type": "PodResizeInProgress"}]}


def test_the_patch_brings_a_passing_condition_and_leaves_those_of_others() -> None:
    pending = {"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "later"}
    status = pod_status(pod(), view(runs()), facts(passing=(pending,)))
    old = pod_status(pod(), view(runs()), facts())
    old["conditions"] += [{"type": "DisruptionTarget", "status": "True"}, {"type": "mine/own", "status": "True"}]
    patch = status_patch(old, status, "now")
    assert patch is not None
    [condition] = patch["conditions"]
    assert (condition["type"], condition["lastTransitionTime"]) == ("PodResizePending", "now")


def test_ephemeral_containers_have_statuses_of_their_own() -> None:
    status = pod_status(pod(ephemeralContainers=[DEBUG]), view(runs()), facts())
    [debug] = status["ephemeralContainerStatuses"]
    assert debug["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert status["phase"] == "Running"
    assert "ephemeralContainerStatuses" not in pod_status(pod(), view(runs()), facts())


# Former places


def boxed(number: int, *, ready: bool) -> Sandbox:
    return Sandbox(f"s-{number}", SandboxSpec("u-1", "default", "web", attempt=number), "10.1.0.7", NOW, ready)


@pytest.mark.parametrize(
    ("boxes", "holder", "pruned"),
    [
        ([boxed(2, ready=True), boxed(1, ready=False), boxed(0, ready=False)], "s-2", ["s-1", "s-0"]),
        ([boxed(2, ready=True), boxed(1, ready=False), boxed(0, ready=False)], "s-1", ["s-0"]),
        ([boxed(1, ready=True), boxed(0, ready=True)], "s-1", []),
        ([boxed(0, ready=False)], "none", []),
    ],
)
def test_a_former_place_goes_when_nothing_of_it_is_left(boxes: list[Sandbox], holder: str, pruned: list[str]) -> None:
    """kuberuntime_gc.go: dead sandboxes go but for the newest, and those whose containers are still asked about."""
    held = View(tuple(boxes), {"main": (replace(runs(), sandbox_id=holder),)})
    found = [action.id for action in plan(pod(), held, NOW).actions if isinstance(action, PruneSandbox)]
    assert found == pruned
