"""Eviction, images and logs in tables: one row a rule of the kubelet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeostat.node.housekeeping import eviction, rotation, signals
from homeostat.node.housekeeping.eviction import Signal, ThresholdError, Usage, crossed, ranked, thresholds
from homeostat.node.images.choice import Known, Room, to_remove
from homeostat.runtime.contract import Image

Obj = dict[str, Any]
MIB, GIB = 1 << 20, 1 << 30
DEFAULTS = "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,pid.available<100"
[MEMORY] = thresholds("memory.available<100Mi")


def pod(name: str, *, request: str = "", priority: int = 0, **more: Any) -> Obj:
    resources = {"resources": {"requests": {"memory": request}}} if request else {}
    body = {"containers": [{"name": "main", **resources}], "priority": priority, **more}
    return {"metadata": {"name": name, "namespace": "default", "uid": name}, "spec": body}


def named(pods: list[Obj]) -> str:
    return " ".join(each["metadata"]["name"] for each in pods)


# Thresholds: pkg/kubelet/eviction/helpers.go


@pytest.mark.parametrize(
    ("left", "hit", "conditions"),
    [
        ({}, [], set()),
        ({"memory.available": Signal(100 * MIB, GIB)}, [], set()),
        ({"memory.available": Signal(100 * MIB - 1, GIB)}, ["memory.available"], {"MemoryPressure"}),
        ({"nodefs.available": Signal(9, 100)}, ["nodefs.available"], {"DiskPressure"}),
        ({"nodefs.available": Signal(10, 100)}, [], set()),
        ({"nodefs.inodesFree": Signal(4, 100)}, ["nodefs.inodesFree"], {"DiskPressure"}),
        ({"imagefs.available": Signal(14, 100)}, ["imagefs.available"], {"DiskPressure"}),
        ({"pid.available": Signal(99, 32768)}, ["pid.available"], {"PIDPressure"}),
        (
            {"pid.available": Signal(1, 2), "imagefs.available": Signal(0, 9), "memory.available": Signal(1, 2)},
            ["memory.available", "imagefs.available", "pid.available"],
            {"MemoryPressure", "DiskPressure", "PIDPressure"},
        ),
    ],
)
def test_when_a_node_is_short(left: dict[str, Signal], hit: list[str], conditions: set[str]) -> None:
    found = crossed(thresholds(DEFAULTS), left)
    assert [limit.signal for limit in found] == hit
    assert eviction.conditions(found) == conditions


@pytest.mark.parametrize("text", ["memory.available", "memory.available<x", "disk<5%", "memory.available<y%"])
def test_thresholds_that_make_no_sense(text: str) -> None:
    with pytest.raises(ThresholdError):
        thresholds(text)


@pytest.mark.parametrize(
    ("pods", "used", "order"),
    [
        # Pods that use more than requested are evicted first, whatever the priority.
        ([pod("modest", request="2Gi"), pod("greedy", request="1Mi", priority=100)], (GIB, GIB), "greedy modest"),
        ([pod("high", priority=5), pod("low", priority=1)], (GIB, 1), "low high"),
        ([pod("less", request="1Mi"), pod("more", request="1Mi")], (2 * MIB, 3 * MIB), "more less"),
        # The node's own pods and critical ones never go.
        ([pod("critical", priority=2_000_000_000), pod("usual")], (GIB, 0), "usual"),
    ],
)
def test_who_goes_first_when_memory_is_short(pods: list[Obj], used: tuple[int, ...], order: str) -> None:
    usage = {each["metadata"]["uid"]: Usage({"main": amount}) for each, amount in zip(pods, used, strict=True)}
    assert named(ranked(pods, usage, MEMORY)) == order


def test_who_goes_first_when_process_ids_or_disk_are_short() -> None:
    pods = [pod("big", priority=2), pod("small", priority=2), pod("low", priority=1)]
    usage = {"big": Usage(disk={"main": 5}, volumes={"v": 5}), "small": Usage(disk={"main": 9}), "low": Usage()}
    [pids], [disk] = thresholds("pid.available<10"), thresholds("nodefs.available<10%")
    assert named(ranked(pods, usage, pids)).startswith("low")
    assert named(ranked(pods, usage, disk)) == "big small low", "who asked for nothing and uses nothing is not over"


def test_a_static_pod_never_goes() -> None:
    own = pod("own")
    own["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}
    assert ranked([own], {}, MEMORY) == []


def test_what_an_evicted_pod_says() -> None:
    found = Signal(50 * MIB, GIB)
    reported = eviction.why(pod("web"), MEMORY, found, Usage({"main": 64 * MIB}))
    assert reported.reason == "Evicted"
    assert reported.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51200Ki. "
        "Container main was using 65536Ki, request is 0, has larger consumption of memory. "
    )
    [inodes] = thresholds("nodefs.inodesFree<5%")
    reported = eviction.why(pod("web"), inodes, Signal(3, 100), Usage())
    assert reported.message == "The node was low on resource: inodes. Threshold quantity: 5, available: 3. "
    [pids] = thresholds("pid.available<10")
    reported = eviction.why(pod("web"), pids, Signal(3, 100), Usage({"main": 5}))
    assert reported.message == "The node was low on resource: pids. Threshold quantity: 10, available: 3. "


def limited(**more: Any) -> Obj:
    limits = {"resources": {"limits": {"ephemeral-storage": "1Mi"}}}
    made = pod("web", volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}])
    made["spec"]["containers"] = [{"name": "main", **(limits if more.get("limits") else {})}]
    return made


@pytest.mark.parametrize(
    ("limits", "usage", "message"),
    [
        (False, Usage(volumes={"v": MIB}), ""),
        (False, Usage(volumes={"v": MIB + 1}), 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '),
        (True, Usage(disk={"main": MIB}), ""),
        (True, Usage(disk={"main": MIB + 1}), 'Container main exceeded its local ephemeral storage limit "1Mi". '),
        (
            True,
            Usage(disk={"main": MIB}, volumes={"v": MIB}),
            "Pod ephemeral local storage usage exceeds the total limit of containers 1024Ki. ",
        ),
    ],
)
def test_pods_that_use_more_disk_than_they_set_themselves(limits: bool, usage: Usage, message: str) -> None:
    reported = eviction.over_own_limits(limited(limits=limits), usage)
    assert (reported.message if reported else "") == message


@pytest.mark.parametrize(
    ("pressures", "wanted", "refused"),
    [
        ((), pod("a"), False),
        (("MemoryPressure",), pod("a"), True),
        (("MemoryPressure",), pod("a", request="1Mi"), False),
        (("MemoryPressure",), pod("a", tolerations=[{"key": "node.kubernetes.io/memory-pressure"}]), False),
        (("MemoryPressure",), pod("a", tolerations=[{"key": "other"}]), True),
        (("DiskPressure",), pod("a", request="1Mi"), True),
        (("PIDPressure",), pod("a", request="1Mi"), True),
        (("DiskPressure",), pod("a", priority=2_000_000_000), False),
    ],
)
def test_whom_a_node_under_pressure_takes(pressures: tuple[str, ...], wanted: Obj, refused: bool) -> None:
    reported = eviction.refusal(wanted, pressures)
    assert (reported is not None) is refused
    if reported:
        assert reported.message == f"Pod was rejected: The node had condition: [{pressures[0]}]. "


# Images: pkg/kubelet/images/image_gc_manager.go


def image(name: str, size: int = 10, **more: Any) -> Image:
    return Image(name, (f"{name}:1",), **{"digests": (f"{name}@sha256:0",), "size_bytes": size, **more})


KNOWN = {"old": Known(0, 5), "older": Known(0, 1), "new": Known(995, 0), "used": Known(0, 1000), "pinned": Known(0)}
ALL = [image("old"), image("older"), image("new"), image("used"), image("pinned", pinned=True)]


@pytest.mark.parametrize(
    ("used", "gone"),
    [
        (84, ""),
        (85, "older"),
        (90, "older"),
        (95, "older old"),
        (100, "older old"),
    ],
)
def test_which_images_go(used: int, gone: str) -> None:
    """Down to 80 %, the least recently used first; young, pinned and used ones stay."""
    chosen = to_remove(ALL, frozenset({"used:1"}), KNOWN, Room(used, 100), 1000.0)
    assert " ".join(each.id for each in chosen) == gone


def test_an_image_that_was_never_seen_before_stays() -> None:
    assert to_remove([image("x")], frozenset(), {}, Room(100, 100), 1000.0) == []
    assert to_remove(ALL, frozenset(), KNOWN, Room(0, 0), 1000.0) == []


def test_an_image_that_was_loaded_by_hand_stays() -> None:
    """It could not be had again: no registry gave it a digest. (The pause image is one of them.)"""
    assert to_remove([image("old", digests=())], frozenset(), KNOWN, Room(100, 100), 1000.0) == []


# The machine's figures


def test_the_machine_reports_what_it_has_left(tmp_path: Path) -> None:
    found = signals.read(tmp_path, tmp_path / "missing")
    assert 0 < found["memory.available"].available <= found["memory.available"].capacity
    assert 0 < found["pid.available"].available <= found["pid.available"].capacity
    assert 0 < found["nodefs.available"].available <= found["nodefs.available"].capacity
    assert "imagefs.available" not in found, "what cannot be read is left out"


# Logs: pkg/kubelet/logs/container_log_manager.go


def test_logs_move_on_by_one_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    for content in ("first", "second", "third", "fourth"):
        log.write_text(content)
        assert rotation.due(str(log), 4)
        rotation.rotate(str(log), 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.log.1", "0.log.2"]
    assert (tmp_path / "0.log.1").read_text() == "fourth"
    assert (tmp_path / "0.log.2").read_text() == "third"
    assert not rotation.due(str(log), 4)
    assert not rotation.due("", 4)
