"""Environments, downward API, service variables, volume files, and the files on disk."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from homeostat.node.decide import admission
from homeostat.node.pod.mounts import last_words, volume_mounts
from homeostat.node.podspec import unsupported
from homeostat.node.podspec.downward import ConfigError, Surroundings, field_value, resource_value
from homeostat.node.podspec.env import environment, expand, references
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.podspec.service_env import service_variables
from homeostat.node.volumes import atomicdir
from homeostat.node.volumes.payload import File, TokenProjection, files, token_projections, volume_type
from homeostat.node.volumes.volumes import PodFiles, VolumeError

Obj = dict[str, Any]
AROUND = Surroundings("10.1.0.7", "10.0.0.1", {"cpu": "4", "memory": "8Gi"})
POD: Obj = {
    "metadata": {
        "name": "web",
        "namespace": "default",
        "uid": "u-1",
        "labels": {"app": "web", "tier": 'a"b'},
        "annotations": {"note": "hi"},
    },
    "spec": {"nodeName": "n1", "serviceAccountName": "robot", "containers": [{"name": "main"}]},
}
CONFIG = {"data": {"colour": "blue"}, "binaryData": {"raw": base64.b64encode(b"\x00\x01").decode()}}


def test_expansion_follows_kubernetes() -> None:
    values = {"A": "1", "B": "two"}
    assert expand("$(A)-$(B)-$(C)-$$(A)-$A-$(", values) == "1-two-$(C)-$(A)-$A-$("


def test_variables_see_those_before_them_and_services_below() -> None:
    container = {
        "name": "main",
        "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "P_"}, {"secretRef": {"name": "no", "optional": True}}],
        "env": [
            {"name": "ONE", "value": "$(P_colour)"},
            {"name": "TWO", "value": "$(ONE) $(DB_SERVICE_HOST) $(THREE)"},
            {"name": "THREE", "value": "3"},
            {"name": "DB_SERVICE_HOST", "value": "mine"},
        ],
    }
    assert list(references(container)) == [("ConfigMap", "c"), ("Secret", "no")]
    sources = {("ConfigMap", "c"): {"data": {"colour": "blue"}}, ("Secret", "no"): None}
    result = environment(POD, container, sources, {"DB_SERVICE_HOST": "10.2.0.1"}, AROUND)
    assert result["TWO"] == "blue 10.2.0.1 $(THREE)"
    assert result["DB_SERVICE_HOST"] == "mine"


def test_what_is_missing_is_named_and_optional_is_left_out() -> None:
    def env(ref: Obj) -> dict[str, str]:
        variable = {"name": "X", "valueFrom": {"configMapKeyRef": ref}}
        return environment(POD, {"name": "main", "env": [variable]}, {("ConfigMap", "c"): CONFIG}, {}, AROUND)

    assert env({"name": "c", "key": "colour"}) == {"X": "blue"}
    with pytest.raises(ConfigError, match="couldn't find key no in ConfigMap default/c"):
        env({"name": "c", "key": "no"})
    with pytest.raises(ConfigError, match='configmap "d" not found'):
        env({"name": "d", "key": "colour"})
    assert env({"name": "c", "key": "no", "optional": True}) == {}
    assert env({"name": "d", "key": "no", "optional": True}) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations", 'note="hi"'),
        ("metadata.labels", 'app="web"\ntier="a\\"b"'),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "robot"),
        ("status.podIP", "10.1.0.7"),
        ("status.hostIP", "10.0.0.1"),
    ],
)
def test_field_paths(path: str, value: str) -> None:
    assert field_value(POD, path, AROUND) == value


def test_an_unknown_field_path_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unsupported fieldPath: spec\.hostname"):
        field_value(POD, "spec.hostname", AROUND)


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "1", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "1m", "1500"),
        ("limits.memory", "1Mi", "8192"),
        ("requests.memory", "1", "0"),
    ],
)
def test_resource_fields(resource: str, divisor: str, value: str) -> None:
    pod = {"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "1500m"}}}]}}
    ref = {"resource": resource, "divisor": divisor}
    assert resource_value(pod, pod["spec"]["containers"][0], ref, AROUND) == value


def service(name: str, namespace: str = "default", **spec: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": "10.2.0.5", **spec}}


def test_service_variables() -> None:
    ports = [{"name": "pg-main", "port": 5432, "protocol": "TCP"}, {"port": 9187}]
    services = [
        service("my-db", ports=ports),
        service("headless", clusterIP="None", ports=ports),
        service("kubernetes", ports=[{"port": 443}], clusterIP="10.2.0.1"),
        service("other", "elsewhere", ports=ports),
    ]
    found = service_variables(services, "default", links=True)
    assert found["MY_DB_SERVICE_HOST"] == "10.2.0.5"
    assert found["MY_DB_SERVICE_PORT"] == found["MY_DB_SERVICE_PORT_PG_MAIN"] == "5432"
    assert found["MY_DB_PORT"] == found["MY_DB_PORT_5432_TCP"] == "tcp://10.2.0.5:5432"
    assert found["MY_DB_PORT_9187_TCP_ADDR"] == "10.2.0.5"
    assert not any(key.startswith(("HEADLESS", "OTHER")) for key in found)
    assert service_variables(services, "elsewhere", links=False)["KUBERNETES_SERVICE_HOST"] == "10.2.0.1"
    assert "MY_DB_SERVICE_HOST" not in service_variables(services, "default", links=False)


def test_files_of_a_projected_volume() -> None:
    projection = TokenProjection("api", 3600, "token")
    volume = {
        "name": "v",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"configMap": {"name": "c", "items": [{"key": "raw", "path": "bin/raw", "mode": 0o400}]}},
                {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                {"serviceAccountToken": {"audience": "api", "path": "token"}},
            ],
        },
    }
    assert volume_type(volume) == "projected"
    assert list(token_projections(volume)) == [projection]
    made = files(POD, volume, {("ConfigMap", "c"): CONFIG}, {projection: "jwt"}, AROUND)
    assert made == {
        "token": File(b"jwt", 0o440),
        "bin/raw": File(b"\x00\x01", 0o400),
        "n": File(b"web", 0o440),
    }


def test_a_key_that_is_not_there_is_named() -> None:
    volume = {"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}}
    with pytest.raises(ConfigError, match="references non-existent secret key: k"):
        files(POD, volume, {("Secret", "s"): {"data": {}}}, {}, AROUND)
    with pytest.raises(ConfigError, match='secret "s" not found'):
        files(POD, volume, {("Secret", "s"): None}, {}, AROUND)
    volume["secret"]["optional"] = True
    assert files(POD, volume, {("Secret", "s"): None}, {}, AROUND) == {}


def test_a_volume_changes_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    assert atomicdir.write(folder, {"a": File(b"1"), "deep/b": File(b"2", 0o600), "old": File(b"x")})
    inside = (folder / "..data").resolve()
    assert not atomicdir.write(folder, {"a": File(b"1"), "deep/b": File(b"2", 0o600), "old": File(b"x")})
    assert (folder / "..data").resolve() == inside
    assert atomicdir.write(folder, {"a": File(b"new"), "deep/b": File(b"2", 0o600)})
    assert (folder / "a").read_bytes() == b"new"
    assert (folder / "deep/b").stat().st_mode & 0o777 == 0o600
    assert not (folder / "old").exists()
    assert not inside.exists()
    assert atomicdir.write(folder, {})
    assert [entry.name for entry in folder.iterdir() if not entry.name.startswith("..")] == []


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "..x/y"])
def test_a_path_cannot_leave_its_volume(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="invalid path"):
        atomicdir.write(tmp_path / "v", {path: File(b"")})


def _files(root: Path, pod: Obj) -> PodFiles:
    return PodFiles(NodeConfig(name="n1", address="10.0.0.1", root=root), pod)


def test_mounts_and_sub_paths(tmp_path: Path) -> None:
    pod = {**POD, "spec": {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "h", "hostPath": {"path": "/srv"}}]}}
    made = _files(tmp_path, pod)
    made.make_volumes(pod, {}, {}, AROUND)
    mounts = [
        {"name": "v", "mountPath": "/data", "subPathExpr": "$(WHO)/x"},
        {"name": "h", "mountPath": "/srv", "readOnly": True},
    ]
    main = {"name": "main", "volumeMounts": mounts}
    first, second = volume_mounts(made, pod, main, {"WHO": "me"}, isolates=False)
    last = last_words(made, main, 0)
    assert first.host_path == str(tmp_path / "pods/u-1/volumes/v/me/x")
    assert Path(first.host_path).is_dir()
    assert (second.host_path, second.read_only) == ("/srv", True)
    assert last.container_path == "/dev/termination-log"
    mounts[0]["subPathExpr"] = "../../x"
    with pytest.raises(ConfigError, match="invalid subPath"):
        volume_mounts(made, pod, main, {}, isolates=False)


def test_host_paths_are_checked(tmp_path: Path) -> None:
    def make(kind: str) -> None:
        source = {"path": str(tmp_path / "there"), "type": kind}
        pod = {**POD, "spec": {"volumes": [{"name": "h", "hostPath": source}]}}
        _files(tmp_path, pod).make_volumes(pod, {}, {}, AROUND)

    with pytest.raises(VolumeError, match=r'volume "h" : hostPath type check failed: .* is not a directory'):
        make("Directory")
    make("DirectoryOrCreate")
    make("Directory")
    with pytest.raises(VolumeError, match="is not a file"):
        make("File")


def test_what_is_not_supported_is_named() -> None:
    why = "volumeDevices: block volumes are not supported by this node"
    assert unsupported.refused({"name": "x", "volumeDevices": [{}]}) == why
    assert unsupported.refused({"name": "x", "tty": True, "stdin": True}) == ""
    assert unsupported.refused({"name": "x", "livenessProbe": {"grpc": {"port": 1}}}) == ""
    container = {"name": "x", "resources": {"limits": {"cpu": "1"}}, "securityContext": {"runAsUser": 5}}
    debugging = [{"name": "debugger", "image": "busybox"}]  # runs beside the others
    body = {"containers": [container], "ephemeralContainers": debugging, "hostPID": True, "securityContext": {}}
    pod = {"spec": body}
    assert unsupported.not_enforced(pod, mounts_in_place=True) == [
        "containers[].resources.limits.cpu",
        "containers[].securityContext.runAsUser",
        "hostPID",
    ]


def test_node_affinity_of_the_node_itself() -> None:
    def matches(*expressions: Obj) -> bool:
        required = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
        pod = {"spec": {"affinity": affinity}}
        found = admission.refusal(pod, [], "n1", {"zone": "a", "rank": "5"}, {})
        assert found is None or found.reason == "NodeAffinity"
        return found is None

    assert matches({"key": "zone", "operator": "In", "values": ["a", "b"]})
    assert not matches({"key": "zone", "operator": "NotIn", "values": ["a"]})
    assert matches({"key": "rank", "operator": "Gt", "values": ["4"]})
    assert not matches({"key": "none", "operator": "Exists"})
    assert not matches()
