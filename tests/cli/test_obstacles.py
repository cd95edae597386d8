"""Missing requirements of real nodes are reported before anything is started, with what to do about them."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.hosts import control_groups, requirements
from homeostat.lab.links.address_ranges import node_range
from homeostat.operate.cluster_plan import ClusterOptions, plan
from tests.support.netns import Space

from .conftest import Command

REAL = ("up", "--runtime", "container")


def begun(state: Path) -> bool:
    """Whether a cluster was made."""
    return any(state.glob("*/cluster.json"))


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is all of PATH: only what a story puts into it can be found."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(requirements, "_PLACES", str(folder))
    # A name with a slash in it is looked for where it says.
    known = {
        name if "/" not in name else str(tmp_path / Path(name).name): of for name, of in requirements.PROGRAMS.items()
    }
    monkeypatch.setattr(requirements, "PROGRAMS", known)
    return folder


def _install(folder: Path, *packages: str) -> None:
    for name, package in requirements.PROGRAMS.items():
        if package in packages:
            place = Path(name) if "/" in name else folder / name
            place.write_text("#!/bin/sh\n")
            place.chmod(0o755)


def test_a_missing_program_is_named_with_the_package_to_install(command: Command, state: Path, without: Path) -> None:
    _install(without, *set(requirements.PROGRAMS.values()) - {"containerd", "runc"})
    said = command(*REAL)
    assert said.code == 1
    assert said.complaint == (
        "homeostat: --runtime container: containerd and runc are not installed "
        "(on Debian: apt-get install containerd runc)"
    )
    assert not begun(state), "nothing was begun"


def test_all_missing_programs_are_reported_at_once(command: Command, without: Path) -> None:
    complaint = command(*REAL).complaint
    assert complaint.endswith(
        "(on Debian: apt-get install " + " ".join(sorted(set(requirements.PROGRAMS.values()))) + ")"
    )


def test_without_them_auto_takes_processes_and_says_why_in_one_line(tmp_path: Path, without: Path) -> None:
    _install(without, *set(requirements.PROGRAMS.values()) - {"etcd-server"})
    planned = plan(Folder(tmp_path / "a"), ClusterOptions("a", runtime="auto"))
    planned.claim.close()
    assert (planned.cluster.runtime, planned.cluster.store) == ("process", "sqlite")
    assert planned.note == (
        "nodes are processes of this host: etcd-server is not installed (on Debian: apt-get install etcd-server)"
    )


def test_a_user_who_may_not_create_namespaces_gets_a_clear_error(
    command: Command, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "missing", list)
    monkeypatch.setattr(requirements, "_namespaces", lambda: False)
    complaint = command(*REAL).complaint
    assert "this user may make no namespaces (run as root, or allow unprivileged user namespaces)" in complaint
    assert not begun(state)


def test_without_a_group_that_this_user_may_write_there_are_no_limits_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control_groups, "_usable", lambda _: False)
    found = control_groups.find("homeostat-x-1")
    assert found.hierarchies == ()
    assert found.note == "this user may make no control groups: limits of containers are not enforced"
    # Everything that a node does with its groups is then nothing at all.
    found.make("worker-1")
    found.join("worker-1", 1)
    assert found.remove_soon("worker-1")


USED = {"pods": "10.244.0.0/16", "services": "10.96.0.0/16"}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x", "not a range of IPv4 addresses"),
        ("", "not a range of IPv4 addresses"),
        ("300.1.1.0/24", "not a range of IPv4 addresses"),
        ("10.0.0.0/33", "not a range of IPv4 addresses"),
        ("fd00::/64", "not a range of IPv4 addresses"),
        ("172.30.0.0/24,172.31.0.0/24", "not a range of IPv4 addresses"),
        ("10.1.2.3/24", "written with its first address, here 10.1.2.0/24"),
        ("10.1.2.0/255.255.255.0", "here 10.1.2.0/24"),
        ("10.1.2.0/25", "between /8 and /24"),
        ("0.0.0.0/0", "between /8 and /24"),
        ("127.5.0.0/24", "loopback"),
        ("224.1.0.0/24", "multicast"),
        ("169.254.7.0/24", "link-local"),
        ("240.0.0.0/24", "reserved"),
        ("0.1.0.0/24", "reserved"),
        ("10.244.7.0/24", "pods have 10.244.0.0/16"),
        ("10.96.0.0/12", "services have 10.96.0.0/16"),
    ],
)
def test_a_range_that_nodes_cannot_have_is_refused_by_name(command: Command, state: Path, text: str, part: str) -> None:
    with pytest.raises(LabError, match="--node-cidr"):
        node_range(text, USED)
    complaint = command(*REAL, "--node-cidr", text).complaint
    assert f"--node-cidr {text}: " in complaint and part in complaint
    assert not begun(state), "nothing was begun"


@pytest.mark.parametrize("text", ["172.30.0.0/24", "192.168.128.0/24", "10.0.0.0/16", "100.64.0.0/20"])
def test_an_ordinary_range_is_taken(text: str) -> None:
    assert node_range(text, USED) == IPv4Network(text)


@pytest.mark.real
def test_a_range_that_the_host_uses_is_refused_with_who_uses_it() -> None:
    """The host of this story is a network namespace with a bridge in it."""
    space = Space("host")
    try:
        space.ip("link add office type bridge", "addr add 10.77.5.1/24 dev office", "link set office up")

        def ask(text: str) -> str:
            try:
                requirements.check_range(IPv4Network(text))
            except LabError as error:
                return str(error)
            return ""

        for taken in ("10.77.5.0/24", "10.77.0.0/16"):
            said = space.do(lambda taken=taken: ask(taken))  # type: ignore[misc]
            assert said == (
                f"the addresses {taken} are in use on this host (10.77.5.0/24 on office); "
                "choose other ones with --node-cidr"
            )
        assert space.do(lambda: ask("10.77.6.0/24")) == ""
    finally:
        space.close()
