"""The cgroups of pods, made in both kinds of hierarchies: here in plain folders that look like them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeostat.node.isolation.cgroups import Cgroups
from homeostat.runtime.contract import Resources

BURSTABLE = "/kubepods/burstable/podu-1"
LIMITS = Resources(cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory_limit_bytes=1 << 26)


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for controller in ("cpu", "memory", "pids", "freezer"):
        (tmp_path / controller).mkdir()
    return tmp_path


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu io memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("")
    return tmp_path


def files(folder: Path, *names: str) -> None:
    """What the kernel puts into a group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")


def test_each_quality_has_its_group(v1: Path) -> None:
    assert Cgroups(v1).start()
    for controller in ("cpu", "memory", "pids"):
        assert (v1 / controller / "kubepods/burstable").is_dir()
        assert (v1 / controller / "kubepods/besteffort").is_dir()
    assert not (v1 / "freezer/kubepods").exists()


def test_all_pods_together_count_as_much_as_the_processors_that_the_node_has_for_them(v1: Path) -> None:
    """pkg/kubelet/cm/node_container_manager_linux.go: the shares of /kubepods are those of the allocatable CPU."""
    files(v1 / "cpu/kubepods", "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    Cgroups(v1).start(cpu_shares=2048)
    assert (v1 / "cpu/kubepods/cpu.shares").read_text() == "2048"


def test_so_they_do_in_version_two(v2: Path) -> None:
    files(v2 / "kubepods", "cpu.weight", "cpu.max", "memory.max")
    Cgroups(v2).start(cpu_shares=2048)
    assert (v2 / "kubepods/cpu.weight").read_text() == "79"


def test_limits_of_version_one(v1: Path) -> None:
    groups = Cgroups(v1)
    groups.start()
    files(v1 / "cpu" / BURSTABLE[1:], "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    files(v1 / "memory" / BURSTABLE[1:], "memory.limit_in_bytes")
    groups.make(BURSTABLE, LIMITS)
    cpu, memory = v1 / "cpu" / BURSTABLE[1:], v1 / "memory" / BURSTABLE[1:]
    assert (cpu / "cpu.shares").read_text() == "512"
    assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
    assert (memory / "memory.limit_in_bytes").read_text() == str(1 << 26)
    assert groups.pods() == {"u-1": BURSTABLE}


def test_limits_of_version_two(v2: Path) -> None:
    groups = Cgroups(v2)
    assert groups.unified
    groups.start()
    assert (v2 / "cgroup.subtree_control").read_text().endswith("+pids") or (v2 / "kubepods").is_dir()
    files(v2 / BURSTABLE[1:], "cpu.weight", "cpu.max", "memory.max")
    groups.make(BURSTABLE, LIMITS)
    group = v2 / BURSTABLE[1:]
    assert (group / "cpu.weight").read_text() == "20"
    assert (group / "cpu.max").read_text() == "50000 100000"
    assert (group / "memory.max").read_text() == str(1 << 26)
    os.truncate(group / "memory.max", 0)
    groups.make(BURSTABLE, Resources(cpu_shares=2))
    assert (group / "memory.max").read_text() == "max"


def test_a_group_goes_with_all_that_is_below_it(v1: Path) -> None:
    groups = Cgroups(v1)
    groups.start()
    # The runtime makes its groups in every hierarchy, those that the node does not limit among them.
    (v1 / "cpu" / BURSTABLE[1:] / "one").mkdir(parents=True)
    (v1 / "freezer" / BURSTABLE[1:] / "one/deep").mkdir(parents=True)
    assert groups.remove(BURSTABLE)
    assert not (v1 / "cpu" / BURSTABLE[1:]).exists()
    assert not (v1 / "freezer" / BURSTABLE[1:]).exists()
    assert groups.remove(BURSTABLE), "one that is gone counts as removed"


def test_a_node_that_may_not_write_says_so(tmp_path: Path) -> None:
    assert not Cgroups(tmp_path / "nowhere").start()


def test_all_burstable_pods_have_their_part(v1: Path) -> None:
    groups = Cgroups(v1)
    groups.start()
    files(v1 / "cpu/kubepods/burstable", "cpu.shares")
    groups.share("burstable", 3072)
    assert (v1 / "cpu/kubepods/burstable/cpu.shares").read_text() == "3072"
