"""A cluster's plan, its state folder and the user's kubeconfig: what `up` leaves, and what it leaves alone."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from homeostat.cluster import certificates, kubeconfig
from homeostat.cluster.state_folder import Folder, LabError, free_indexes
from homeostat.cluster.topology import Cluster
from homeostat.operate import cluster_plan, down, kubectl_context


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_nodes_have_their_own_addresses_and_pods_theirs() -> None:
    nodes = Cluster("demo", 1, control_planes=3, workers=2).nodes()
    assert [(node.name, node.address) for node in nodes] == [
        ("master-1", "127.12.0.11"),
        ("master-2", "127.12.0.12"),
        ("master-3", "127.12.0.13"),
        ("worker-1", "127.12.0.21"),
        ("worker-2", "127.12.0.22"),
    ]
    assert len({node.pod_cidr for node in nodes}) == 5


def test_clusters_of_one_machine_share_no_address() -> None:
    first, second = Cluster("a", 0), Cluster("b", 1)
    assert first.service_cidr != second.service_cidr
    assert not {n.pod_cidr for n in first.nodes()} & {n.pod_cidr for n in second.nodes()}


def planned(folder: Folder, options: cluster_plan.ClusterOptions) -> Cluster:
    made = cluster_plan.plan(folder, options)
    made.claim.close()
    return made.cluster


def test_a_cluster_that_comes_back_keeps_its_shape_and_refuses_another() -> None:
    folder = Folder.of("demo")
    made = planned(folder, cluster_plan.ClusterOptions("demo", control_planes=1, workers=3, api_port=7000))
    folder.save(made)
    assert planned(folder, cluster_plan.ClusterOptions("demo")) == made
    with pytest.raises(LabError, match="was made with --workers 3"):
        cluster_plan.plan(folder, cluster_plan.ClusterOptions("demo", workers=2))
    changed = planned(folder, cluster_plan.ClusterOptions("demo", settings={"kubelet": {"max-pods": "5"}}))
    assert changed.flags.integer("kubelet", "max-pods") == 5


def test_the_lowest_free_index_is_used_again() -> None:
    for index, name in enumerate(("a", "b", "c")):
        Folder.of(name).save(Cluster(name, index))
    Folder.of("b").purge()
    assert free_indexes()[0] == 1


def test_addresses_that_another_cluster_of_the_machine_uses_are_not_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = cluster_plan.plan(Folder.of("demo"), cluster_plan.ClusterOptions("demo"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another-user"))
    with theirs.claim:
        mine = planned(Folder.of("demo"), cluster_plan.ClusterOptions("demo"))
        assert mine.network != theirs.cluster.network
        Folder.of("demo").save(theirs.cluster)
        with pytest.raises(LabError, match="are in use by another cluster"):
            cluster_plan.plan(Folder.of("demo"), cluster_plan.ClusterOptions("demo"))


@pytest.mark.parametrize("name", ["", "Big", "a/b", "-x", "x" * 40, ".."])
def test_a_name_that_could_leave_the_state_folder_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="is no cluster name"):
        Folder.of(name)


def test_a_damaged_state_folder_is_named_with_the_way_out() -> None:
    folder = Folder.of("demo")
    folder.save(Cluster("demo", 0))
    (folder.path / "cluster.json").write_text("{")
    with pytest.raises(LabError, match="--purge"):
        folder.load()


@pytest.mark.parametrize("damage", [b"", b"no key", None])
def test_a_damaged_certificate_is_recreated_and_the_others_stay(tmp_path: Path, damage: bytes | None) -> None:
    cluster = Cluster("demo", 0, control_planes=1, workers=1)
    certificates.prepare(tmp_path, cluster)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    # None: the key of another certificate, as after a power cut between the two files.
    (tmp_path / "admin.key").write_bytes(before["scheduler.key"] if damage is None else damage)
    certificates.prepare(tmp_path, cluster)
    changed = {name for name, content in before.items() if (tmp_path / name).read_bytes() != content}
    assert changed == {"admin.key", "admin.crt"}
    certificates.client_context(tmp_path, certificates.ADMIN)


def test_only_one_process_may_hold_a_cluster() -> None:
    folder = Folder.of("demo")
    with folder.only_one(), pytest.raises(LabError, match="is running or starting"), folder.only_one():
        pass
    assert not down.is_running(folder)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (cluster_plan.ClusterOptions("demo", control_planes=0), "--control-planes is 1 to"),
        (cluster_plan.ClusterOptions("demo", workers=-1), "--workers is 0 to"),
        (cluster_plan.ClusterOptions("demo", store="memory"), "needs --control-planes 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: cluster_plan.ClusterOptions, text: str) -> None:
    with pytest.raises(LabError, match=text):
        cluster_plan.plan(Folder.of("demo"), options)


@pytest.mark.parametrize(("name", "option"), [("homeostat", ""), ("demo", " --name demo")])
@pytest.mark.parametrize(("what", "field"), [("API", "api_port"), ("Console", "console_port")])
def test_a_port_that_another_cluster_has_taken_is_named_with_the_way_out(
    name: str, option: str, what: str, field: str
) -> None:
    folder = Folder.of(name)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster = replace(Cluster(name, 61, api_port=0, console_port=0), **{field: port})
        with pytest.raises(LabError) as raised, cluster_plan.listening(folder, cluster):
            pass
    assert str(raised.value) == (
        f"port {port}, where the {what} of cluster {name!r} is, is in use by another program or cluster; "
        f"`homeostat up{option} --{what.lower()}-port PORT` takes another one"
    )
    folder.save(cluster)
    again = planned(folder, cluster_plan.ClusterOptions(name, **{field: port + 1}))
    assert getattr(again, field) == port + 1


def test_a_cluster_keeps_the_port_of_its_console_or_that_it_has_none() -> None:
    folder = Folder.of("demo")
    made = planned(folder, cluster_plan.ClusterOptions("demo"))
    assert made.console_port
    assert made.console_url == f"http://127.0.0.1:{made.console_port}"
    folder.save(made)
    assert planned(folder, cluster_plan.ClusterOptions("demo")).console_port == made.console_port
    without = planned(folder, cluster_plan.ClusterOptions("demo", console_port=0))
    assert (without.console_port, without.console_url) == (0, "")
    folder.save(without)
    assert planned(folder, cluster_plan.ClusterOptions("demo")).console_port == 0


def test_a_cluster_of_a_version_without_a_console_gets_one() -> None:
    folder = Folder.of("demo")
    folder.save(Cluster("demo", 61))
    assert planned(folder, cluster_plan.ClusterOptions("demo")).console_port


def own(context: str) -> dict[str, object]:
    return kubeconfig.build(context=context, server="https://127.0.0.1:1", ca=b"a", certificate=b"b", key=b"c")


def test_merging_keeps_every_other_entry_and_removing_takes_only_ours(tmp_path: Path) -> None:
    file = tmp_path / "config"
    theirs = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "prod", "cluster": {"server": "https://prod"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "me"}}],
        "current-context": "prod",
        "extensions": [{"name": "x"}],
    }
    file.write_text(yaml.safe_dump(theirs))
    kubeconfig.merge(own("homeostat"), file)
    kubeconfig.merge(own("homeostat"), file)
    merged = yaml.safe_load(file.read_text())
    assert [c["name"] for c in merged["contexts"]] == ["prod", "homeostat"]
    assert merged["current-context"] == "homeostat"
    assert merged["extensions"] == theirs["extensions"]
    kubeconfig.remove("homeostat", file)
    left = yaml.safe_load(file.read_text())
    assert left == {**theirs, "current-context": ""}


def test_a_kubeconfig_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("{: not yaml")
    with pytest.raises(LabError, match="it was left alone"):
        kubeconfig.merge(own("homeostat"), file)
    assert file.read_text() == "{: not yaml"


def test_a_linked_kubeconfig_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("")
    link.symlink_to(real)
    kubeconfig.merge(own("homeostat"), link)
    assert link.is_symlink()
    assert yaml.safe_load(real.read_text())["current-context"] == "homeostat"


def test_clusters_of_other_state_folders_begin_with_other_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped cluster claims nothing: one of another folder that took its addresses would keep it from starting."""
    found = set()
    for name in ("one", "two", "three", "four"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        found.add(planned(Folder.of("demo"), cluster_plan.ClusterOptions("demo", runtime="process")).index)
    assert len(found) > 1
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME")
    assert cluster_plan._in_turn(free_indexes())[0] == 0


def saved(name: str, index: int) -> Folder:
    folder = Folder.of(name)
    folder.save(Cluster(name, index))
    folder.kubeconfig.write_bytes(kubeconfig.dump(own(folder.load().context)))
    return folder


@pytest.mark.parametrize("before", ["", "prod"])
def test_purging_a_cluster_puts_back_the_context_that_was_current_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))

    def current() -> str:
        return str(yaml.safe_load(file.read_text())["current-context"])

    if before:
        kubeconfig.merge(own(before), file)
    first, second = saved("homeostat", 0), saved("two", 1)
    kubectl_context.join(first)
    kubectl_context.join(second)
    kubectl_context.join(second)
    assert current() == "homeostat-two"
    down.stop(second, purge=True)
    assert current() == "homeostat"
    down.stop(first, purge=True)
    assert current() == before


def test_a_context_that_is_gone_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    first, second = saved("homeostat", 0), saved("two", 1)
    kubectl_context.join(first)
    kubectl_context.join(second)
    down.stop(first, purge=True)
    assert yaml.safe_load(file.read_text())["current-context"] == "homeostat-two", "not the purged one's: left alone"
    down.stop(second, purge=True)
    assert yaml.safe_load(file.read_text())["current-context"] == ""
