"""What is decided about hosts before anything runs: their addresses, their services, what of the machine they get."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.cluster.topology import Cluster
from homeostat.lab.hosts import requirements
from homeostat.lab.hosts.control_groups import hierarchies
from homeostat.lab.inside.rootfs import needed_folders
from homeostat.lab.inside.units import canonical, units_of, unknown

# /proc/self/mountinfo and /proc/self/cgroup of a machine with the first version of cgroups, and one with the second.
HYBRID_MOUNTS = [
    "30 24 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct",
    "32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
    "33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd",
    "34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw",
    "35 24 0:31 / /tmp rw,relatime - tmpfs tmpfs rw",
]
HYBRID_OWN = ["9:name=systemd:/", "4:memory:/session/7", "1:cpu,cpuacct:/", "0::/"]
UNIFIED_MOUNTS = ["30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"]


def hosts(**given: object) -> Cluster:
    return Cluster("demo", 0, runtime="container", store="etcd", **given)  # type: ignore[arg-type]


def test_hosts_have_addresses_of_the_nodes_network_and_pods_kubernetes_customary_ranges() -> None:
    cluster = hosts()
    assert [(node.name, node.address) for node in cluster.nodes()] == [
        ("master-1", "172.30.0.11"),
        ("master-2", "172.30.0.12"),
        ("master-3", "172.30.0.13"),
        ("worker-1", "172.30.0.21"),
        ("worker-2", "172.30.0.22"),
    ]
    assert cluster.gateway == "172.30.0.1"
    assert cluster.service_cidr == "10.96.0.0/16"
    assert cluster.dns_address == "10.96.0.10"
    pods = [IPv4Network(node.pod_cidr) for node in cluster.nodes()]
    assert len(set(pods)) == 5
    assert all(each.subnet_of(IPv4Network("10.244.0.0/16")) for each in pods)


def test_another_range_moves_every_node() -> None:
    cluster = hosts(node_cidr="10.9.8.0/24")
    assert cluster.node("worker-1").address == "10.9.8.21"
    assert cluster.gateway == "10.9.8.1"


def test_clusters_of_one_machine_have_networks_of_their_own() -> None:
    first, second = Cluster("a", 0, runtime="container"), Cluster("b", 1, runtime="container")
    assert not first.node_network.overlaps(second.node_network)


def test_a_master_asks_its_own_api_server_first_and_every_node_knows_all() -> None:
    cluster = hosts()
    assert cluster.node("master-2").endpoints[0] == "https://172.30.0.12:443"
    assert all(set(node.endpoints) == set(cluster.node("master-1").endpoints) for node in cluster.nodes())
    assert len({node.endpoints[0] for node in cluster.nodes() if not node.control_plane}) == 2


def test_a_worker_that_left_takes_its_name_with_it_and_the_others_keep_theirs() -> None:
    cluster = hosts(workers=3, removed=["worker-2"])
    workers = [(node.name, node.address) for node in cluster.nodes() if not node.control_plane]
    assert workers == [("worker-1", "172.30.0.21"), ("worker-3", "172.30.0.23")]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("docker", "containerd"),
        ("docker.service", "containerd"),
        ("containerd.service", "containerd"),
        ("ssh", "sshd"),
        ("kubelet", "kubelet"),
    ],
)
def test_a_unit_is_known_by_the_names_people_use(said: str, meant: str) -> None:
    assert canonical(said) == meant
    assert meant in [unit.name for unit in units_of("worker-1")]


def test_an_unknown_unit_is_named_as_systemd_does_with_what_may_have_been_meant() -> None:
    names = [unit.name for unit in units_of("worker-1")]
    assert unknown("kubelt", names) == "Unit kubelt.service could not be found. Did you mean kubelet?"
    assert unknown("dokcer.service", names) == "Unit dokcer.service could not be found. Did you mean docker?"
    assert unknown("postgresql", names) == "Unit postgresql.service could not be found."


def test_the_engine_alone_learns_of_the_way_to_registries() -> None:
    for unit in units_of("worker-1", proxy="http://172.30.0.1:3128"):
        assert ("HTTPS_PROXY" in unit.environment) == (unit.name == "containerd")


def test_cgroups_of_the_first_version_are_made_inside_the_group_that_limits_this_process() -> None:
    found = {h.controllers: (h.name, h.base) for h in hierarchies(HYBRID_MOUNTS, HYBRID_OWN)}
    assert found == {
        "cpu,cpuacct": ("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
        "memory": ("memory", "/sys/fs/cgroup/memory/session/7"),
        "name=systemd": ("systemd", "/sys/fs/cgroup/systemd"),
    }


def test_cgroups_of_the_second_version_are_one_hierarchy_at_the_top() -> None:
    (found,) = hierarchies(UNIFIED_MOUNTS, ["0::/user.slice/session-1.scope"])
    assert (found.controllers, found.base) == ("", "/sys/fs/cgroup")


def test_a_machine_without_cgroups_has_none() -> None:
    assert hierarchies(["24 1 8:1 / / rw - ext4 /dev/vda rw"], ["0::/"]) == []


def test_folders_that_are_shared_anyway_need_no_place_of_their_own(tmp_path: Path) -> None:
    assert needed_folders(["/usr/lib/python3", "/opt/python"]) == set()
    assert needed_folders([str(tmp_path)]) == {str(tmp_path)}


def test_addresses_that_the_host_uses_already_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "172.30.0.0/16", "dev": "docker0"}]
    monkeypatch.setattr(requirements, "_routes", lambda: routes)
    with pytest.raises(LabError, match=r"172\.30\.0\.0/24 are in use on this host .*docker0.*--node-cidr"):
        requirements.check_range(IPv4Network("172.30.0.0/24"))
    requirements.check_range(IPv4Network("172.31.0.0/24"))


def test_missing_programs_are_named_with_the_packages_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(requirements.PROGRAMS, "no-such-program", "some-package")
    assert requirements.missing() == ["some-package"]
    assert requirements.obstacle() == "some-package is not installed (on Debian: apt-get install some-package)"
    monkeypatch.setitem(requirements.PROGRAMS, "no-such-program-either", "another")
    assert requirements.obstacle().startswith("another and some-package are not installed")


def test_a_disk_without_room_is_reported_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements.check_room(tmp_path)
    monkeypatch.setattr(requirements, "_ROOM_MIB", 1 << 40)
    with pytest.raises(LabError, match=r"the disk is full: .* MiB left, .*make room there"):
        requirements.check_room(tmp_path)
