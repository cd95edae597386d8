"""What a node gives to pods that are kept apart: the whole of a sandbox, limits, names, and the node's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeostat.api.flags.flag_settings import Settings
from homeostat.node.isolation import sandboxspec
from homeostat.node.machine import node_object
from homeostat.node.machine.node_object import Health, Machine
from homeostat.node.pod.pod_isolation import PodIsolation
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.runtime.contract import Dns, Image, PortMapping, Resources

Obj = dict[str, Any]


def config(root: Path, **flags: str) -> NodeConfig:
    given = {("kubelet", name.replace("_", "-")): value for name, value in flags.items()}
    return NodeConfig(
        name="n1", address="10.0.0.1", root=root / "kubelet", log_root=root / "log", cgroup_root=root / "cgroup",
        settings=Settings(given),
    )  # fmt: skip


def pod(*containers: Obj, **more: Any) -> Obj:
    made = [{"name": f"c{place}", **each} for place, each in enumerate(containers or ({},))]
    metadata = {"name": "web", "namespace": "shop", "uid": "u-1", "labels": {"app": "web"}, "annotations": {"a": "b"}}
    return {"metadata": metadata, "spec": {"containers": made, **more}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for controller in ("cpu", "memory"):
        (tmp_path / "cgroup" / controller).mkdir(parents=True)
    (tmp_path / "resolv.conf").write_text("nameserver 9.9.9.9\nsearch lan\n")
    return tmp_path


# Sandboxes


@pytest.mark.parametrize(
    ("body", "field", "expected"),
    [
        ({}, "hostname", "web"),
        ({}, "log_directory", "log/shop_web_u-1"),
        ({}, "labels", {"app": "web"}),
        ({}, "annotations", {"a": "b"}),
        ({}, "attempt", 3),
        ({}, "host_network", False),
        ({"hostNetwork": True}, "host_network", True),
        ({"hostNetwork": True}, "hostname", "n1"),
        ({"hostPID": True}, "host_pid", True),
        ({"hostIPC": True}, "host_ipc", True),
        ({"shareProcessNamespace": True}, "share_processes", True),
        ({}, "runtime_handler", ""),
        ({"securityContext": {"sysctls": [{"name": "a.b", "value": "1"}]}}, "sysctls", {"a.b": "1"}),
        ({}, "ports", ()),
    ],
)
def test_what_a_sandbox_is_asked_for(root: Path, body: Obj, field: str, expected: object) -> None:
    made = PodIsolation(config(root), "4Gi").sandbox(pod(**body), 3, Dns(), "/kubepods/x")
    found = getattr(made, field)
    assert found == (str(root / str(expected)) if field == "log_directory" else expected)
    assert made.cgroup_parent == "/kubepods/x"


@pytest.mark.parametrize(
    ("port", "mapping"),
    [
        ({"containerPort": 80}, ()),
        ({"containerPort": 80, "hostPort": 8080}, (PortMapping(80, 8080),)),
        (
            {"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "10.0.0.1"},
            (PortMapping(53, 53, "UDP", "10.0.0.1"),),
        ),
    ],
)
def test_ports_of_the_node(port: Obj, mapping: tuple[PortMapping, ...]) -> None:
    assert sandboxspec.port_mappings(pod({"ports": [port]})) == mapping


def test_a_pod_of_the_nodes_network_needs_no_ports_mapped(root: Path) -> None:
    wanted = pod({"ports": [{"containerPort": 80, "hostPort": 80}]}, hostNetwork=True)
    assert PodIsolation(config(root), "4Gi").sandbox(wanted, 0, Dns(), "").ports == ()


def test_a_runtime_that_does_not_isolate_is_asked_for_an_address_and_a_name() -> None:
    made = sandboxspec.plain(pod(hostPID=True, hostname="first"), 1)
    assert (made.hostname, made.attempt, made.host_pid, made.labels) == ("first", 1, False, {})


# Names


def test_names_come_from_the_flags_and_the_nodes_own_file(root: Path) -> None:
    flags = {"resolv_conf": str(root / "resolv.conf"), "cluster_dns": "10.0.0.10, 10.0.0.11", "cluster_domain": "x.y"}
    found = PodIsolation(config(root, **flags), "4Gi").resolution(pod())
    assert found.dns.servers == ("10.0.0.10", "10.0.0.11")
    assert found.dns.searches == ("shop.svc.x.y", "svc.x.y", "x.y", "lan")
    host = PodIsolation(config(root, **flags), "4Gi").resolution(pod(dnsPolicy="Default"))
    assert (host.dns.servers, host.dns.searches) == (("9.9.9.9",), ("lan",))


def test_a_node_without_such_a_file_gives_what_it_knows(root: Path) -> None:
    pod_isolation = PodIsolation(config(root, resolv_conf=str(root / "missing")), "4Gi")
    assert pod_isolation.resolution(pod(dnsPolicy="Default")).dns == Dns()


def test_the_hosts_file_of_a_pod_and_of_one_in_the_nodes_network(root: Path) -> None:
    pod_isolation = PodIsolation(config(root), "4Gi")
    assert "10.1.0.7\tweb\n" in pod_isolation.hosts(pod(), "10.1.0.7")
    shared = pod_isolation.hosts(pod(hostNetwork=True), "10.0.0.1")
    assert shared.startswith("# Kubernetes-managed hosts file (host network).\n")
    assert Path("/etc/hosts").read_text().strip() in shared


# Limits


def test_limits_hold_where_cgroups_can_be_written(root: Path) -> None:
    pod_isolation = PodIsolation(config(root), "4Gi")
    assert pod_isolation.start()
    wanted = pod({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})
    assert pod_isolation.resources(wanted, wanted["spec"]["containers"][0]) == Resources(
        1024, 100_000, 100_000, 1 << 30, -997
    )
    assert pod_isolation.place(wanted) == "/kubepods/podu-1"
    assert (root / "cgroup/cpu/kubepods/podu-1").is_dir()
    assert pod_isolation.leave(wanted)
    assert not (root / "cgroup/cpu/kubepods/podu-1").exists()


def test_only_the_order_of_ends_holds_where_they_cannot(tmp_path: Path) -> None:
    pod_isolation = PodIsolation(config(tmp_path), "4Gi")
    assert not pod_isolation.start()
    wanted = pod({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})
    assert pod_isolation.resources(wanted, wanted["spec"]["containers"][0]) == Resources(oom_score_adj=-997)
    assert pod_isolation.place(wanted) == ""
    assert pod_isolation.leave(wanted)


def test_profiles_follow_the_nodes_flag(root: Path) -> None:
    assert PodIsolation(config(root), "4Gi").profiles.default == "Unconfined"
    pod_isolation = PodIsolation(config(root, seccomp_default="true"), "4Gi")
    assert (pod_isolation.profiles.default, pod_isolation.profiles.folder) == (
        "RuntimeDefault",
        str(root / "kubelet/seccomp"),
    )


# The node's own object


@pytest.mark.parametrize(
    ("pressure", "reason", "message"),
    [
        ("MemoryPressure", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("PIDPressure", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ],
)
def test_the_conditions_of_a_node_under_pressure(tmp_path: Path, pressure: str, reason: str, message: str) -> None:
    """nodestatus/setters.go."""
    status = node_object.node_status(config(tmp_path), Machine(), "x://1", Health(pressures=frozenset({pressure})))
    by_type = {condition["type"]: condition for condition in status["conditions"]}
    held = by_type.pop(pressure)
    assert (held["status"], held["reason"], held["message"]) == ("True", reason, message)
    assert by_type.pop("Ready")["status"] == "True", "pressure alone does not make a node unready"
    assert {condition["status"] for condition in by_type.values()} == {"False"}


def test_a_node_reports_its_largest_images(tmp_path: Path) -> None:
    images = tuple(Image(f"id-{size}", (f"i:{size}",), (f"i@{size}",), size_bytes=size) for size in range(60))
    status = node_object.node_status(config(tmp_path), Machine(), "x://1", Health(images=images))
    assert len(status["images"]) == 50
    assert status["images"][0] == {"names": ["i@59", "i:59"], "sizeBytes": 59}
    assert "images" not in node_object.node_status(config(tmp_path), Machine(), "x://1", Health())
    assert node_object.changed({"status": {}}, status)


def test_a_node_with_trouble_is_not_ready_and_says_why(tmp_path: Path) -> None:
    status = node_object.node_status(config(tmp_path), Machine(), "x://1", Health("node is shutting down"))
    ready = next(condition for condition in status["conditions"] if condition["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
    assert ready["message"] == "node is shutting down"
