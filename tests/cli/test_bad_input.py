"""Errors are a line or two, with what to do about them; no traceback; the exit code is not zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import Folder

from .conftest import Command

NEEDS_A_CLUSTER = [
    ("status",),
    ("kubeconfig",),
    ("events",),
    ("why", "pod/x"),
    ("node", "list"),
    ("node", "stop", "worker-1"),
    ("node", "start", "worker-1"),
    ("node", "cut", "worker-1"),
    ("node", "heal", "worker-1"),
    ("drill", "run", "container"),
    ("image", "list"),
    ("image", "load", "x.tar"),
]


@pytest.mark.parametrize("words", NEEDS_A_CLUSTER, ids=" ".join)
def test_without_a_cluster_every_command_says_how_to_make_one(command: Command, words: tuple[str, ...]) -> None:
    said = command(*words)
    assert said.complaint == "homeostat: there is no cluster 'homeostat'; `homeostat up` makes one"
    assert said.code == 1


@pytest.mark.parametrize("words", [*NEEDS_A_CLUSTER, ("up",), ("down",)], ids=" ".join)
@pytest.mark.parametrize("name", ["../other", "Upper", "", "a" * 33, "-dash", "dash-", "a/b", "with space"])
def test_a_name_that_can_be_no_clusters_is_refused(command: Command, words: tuple[str, ...], name: str) -> None:
    said = command(*words, "--name", name)
    assert "is no cluster name: use up to 32 lower-case letters, digits and '-'" in said.complaint


@pytest.mark.parametrize("words", NEEDS_A_CLUSTER, ids=" ".join)
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'"text"', b'{"name": "x", "index": 0, "what": 1}'], ids=repr
)
def test_a_plan_that_cannot_be_read_is_named(
    command: Command, state: Path, words: tuple[str, ...], content: bytes
) -> None:
    (state / "homeostat").mkdir(parents=True)
    (state / "homeostat" / "cluster.json").write_bytes(content)
    said = command(*words)
    if words != ("kubeconfig",):  # it does not need the plan
        assert "homeostat/cluster.json cannot be read" in said.complaint
        assert "`homeostat down --name homeostat --purge` forgets this cluster" in said.complaint


@pytest.mark.parametrize("words", [("events",), ("why", "pod/x"), ("drill", "run", "container")], ids=" ".join)
def test_a_cluster_without_certificates_is_reported_in_one_line(
    command: Command, saved: Callable[..., Folder], words: tuple[str, ...]
) -> None:
    """As an `up` that was interrupted leaves it."""
    saved()
    assert "`homeostat up --name homeostat`" in command(*words).complaint


@pytest.mark.parametrize("order", ["stop", "start", "cut", "heal"])
def test_an_order_about_a_node_names_the_nodes_there_are(
    command: Command, saved: Callable[..., Folder], order: str
) -> None:
    saved(control_planes=1, workers=1)
    said = command("node", order, "worker-9")
    assert said.complaint == "homeostat: there is no node 'worker-9'; the nodes are master-1, worker-1"


@pytest.mark.parametrize("order", ["stop", "start", "cut", "heal"])
def test_an_order_to_a_cluster_that_does_not_run_says_so(
    command: Command, saved: Callable[..., Folder], order: str
) -> None:
    saved()
    assert "homeostat up" in command("node", order, "worker-1").complaint


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "-inf", "soon", "1e400"])
def test_a_cut_lasts_for_a_number_of_seconds(command: Command, saved: Callable[..., Folder], seconds: str) -> None:
    saved()
    said = command("node", "cut", "worker-1", "--for", seconds)
    assert "--for" in said.complaint
    assert said.code == 2


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("upp",), "no such command 'upp'; did you mean 'up'?"),
        (("stats",), "no such command 'stats'; did you mean 'status'?"),
        (("qqq",), "no such command 'qqq'"),
        (("--frob",), "no such option"),
        (("up", "--workers", "many"), "'many' is not a valid integer"),
        (("up", "--workers", "-1"), "--workers is 0 to"),
        (("up", "--workers", "999"), "--workers is 0 to"),
        (("up", "--control-planes", "0"), "--control-planes is 1 to"),
        (("up", "--control-planes", "99"), "--control-planes is 1 to"),
        (("up", "--runtime", "docker"), "'docker' is not one of"),
        (("up", "--store", "etcd"), "--store etcd needs --runtime container"),
        (("up", "--store", "memory"), "it needs --control-planes 1"),
        (("up", "--api-port", "0"), "0 is not in the range"),
        (("up", "--api-port", "70000"), "70000 is not in the range"),
        (("up", "surplus"), "unexpected extra argument"),
        (("why",), "missing argument 'KIND/NAME'"),
        (("why", "pod"), "name the object as KIND/NAME"),
        (("why", "pod", "x", "y"), "name the object as KIND/NAME"),
        (("why", "pod/x", "y"), "name the object as KIND/NAME"),
        (("why", "pdo/x"), "there is no kind 'pdo'; did you mean 'pod'?"),
        (("node", "powr-off", "x"), "no such command 'powr-off'; did you mean 'power-off'?"),
        (("why", "/x"), "name the object as KIND/NAME"),
        (("why", "pod/"), "name the object as KIND/NAME"),
        (("events", "--tail", "0"), "0 is not in the range"),
        (("events", "--tail", "x"), "'x' is not a valid integer"),
        (("status", "-o", "yaml"), "'yaml' is not one of"),
        (("node", "stop"), "missing argument 'NODE'"),
        (("node", "explode", "x"), "no such command 'explode'"),
        (("drill", "run"), "missing argument 'DRILL'"),
        (("completion", "csh"), "'csh' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_words_are_named(command: Command, words: tuple[str, ...], part: str) -> None:
    assert part in command(*words).complaint


def test_an_unknown_drill_is_refused_with_a_list_of_drills(command: Command, saved: Callable[..., Folder]) -> None:
    saved()
    said = command("drill", "run", "meteor")
    assert "there is no drill 'meteor'; the drills are container, " in said.complaint
    assert said.complaint.endswith(", first")


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("kubelet", "COMPONENT.FLAG=VALUE"),
        ("kubelet.sync-frequency", "COMPONENT.FLAG=VALUE"),
        ("kubelt.max-pods=5", "kubelet"),
        ("kubelet.max-pod=5", "max-pods"),
        ("controller-manager.node-monitor-graceperiod=8s", "node-monitor-grace-period"),
        ("controller-manager.node-monitor-grace-period=soon", "soon"),
        ("kubelet.max-pods=many", "many"),
        ("=", "COMPONENT.FLAG=VALUE"),
        ("kubelet.=5", "kubelet"),
    ],
)
def test_a_wrong_setting_is_named_with_the_nearest_that_is_known(
    command: Command, state: Path, assignment: str, part: str
) -> None:
    said = command("up", "--set", assignment)
    assert "--set" in said.complaint
    assert part in said.complaint
    assert not state.exists(), "nothing was begun"


@pytest.mark.parametrize("words", [(), ("node",), ("drill",), ("--help",), ("why", "-h")], ids=" ".join)
def test_help_is_no_error_and_leads_on(command: Command, words: tuple[str, ...]) -> None:
    said = command(*words)
    assert "Usage: homeostat" in said.words
    assert "Traceback" not in said.words


def test_nothing_to_stop_is_no_error(command: Command) -> None:
    said = command("down")
    assert (said.code, said.out) == (0, "cluster 'homeostat' does not exist: nothing to stop\n")


def test_a_cluster_that_cannot_be_read_can_be_forgotten(command: Command, state: Path) -> None:
    (state / "homeostat").mkdir(parents=True)
    (state / "homeostat" / "cluster.json").write_bytes(b"{")
    said = command("down", "--purge")
    assert (said.code, said.out) == (0, "cluster 'homeostat' was not running and is forgotten\n")
    assert not (state / "homeostat").exists()


def test_a_cluster_that_there_is_not_is_not_said_to_be_forgotten(command: Command) -> None:
    said = command("down", "--name", "nope", "--purge")
    assert (said.code, said.out) == (0, "cluster 'nope' does not exist: nothing to forget\n")


@pytest.mark.parametrize("words", [("status",), ("events",), ("why", "pod/x")], ids=" ".join)
def test_how_to_make_the_cluster_that_was_named_is_said(command: Command, words: tuple[str, ...]) -> None:
    said = command(*words, "--name", "two")
    assert said.complaint == "homeostat: there is no cluster 'two'; `homeostat up --name two` makes one"


@pytest.mark.parametrize("words", [("up", "--runtime", "simulated"), ("down", "--purge")], ids=" ".join)
def test_a_state_folder_that_cannot_be_one_is_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    said = command(*words)
    assert said.complaint == f"homeostat: {tmp_path}/file/homeostat/homeostat cannot be used: Not a directory"
