"""What writes of a Pod's `ephemeralcontainers` and `resize` carry over, and what they may not be: rules in tables."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from homeostat.api.kinds import POD
from homeostat.api.shape.strategy import prepare_update
from homeostat.api.validation import validate_update

Obj = dict[str, Any]
HALF = {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
WHOLE = {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}


def pod(resources: Obj | None = None, **more: Any) -> Obj:
    metadata = {"name": "web", "namespace": "default", "uid": "u-1", "generation": 3, "labels": {"app": "web"}}
    main = {"name": "main", "image": "app:1", "imagePullPolicy": "IfNotPresent", "resources": resources or {}}
    spec = {"containers": [main], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


def debug(name: str = "debug", **more: Any) -> Obj:
    return {"name": name, "image": "app:1", "imagePullPolicy": "Always", **more}


def written(old: Obj, subresource: str, **changes: Any) -> Obj:
    """What becomes of a write that changes these fields of the spec, and much besides."""
    new = copy.deepcopy(old)
    new["spec"] |= changes
    new["spec"]["hostname"] = "other"
    new["metadata"]["labels"] = {"app": "other"}
    new["metadata"]["annotations"] = {"mine": "too"}
    new["status"] = {"phase": "Failed"}
    prepare_update(POD, new, old, subresource)
    return new


@pytest.mark.parametrize("subresource", ["ephemeralcontainers", "resize"])
def test_all_but_the_part_stays(subresource: str) -> None:
    """dropPodUpdates: labels, status and the rest of the spec are those of the old object."""
    old = pod()
    new = written(old, subresource)
    assert new["metadata"]["labels"] == {"app": "web"}
    assert "annotations" not in new["metadata"]
    assert new["status"] == {"phase": "Running"}
    assert "hostname" not in new["spec"]


def test_ephemeral_containers_count_as_a_new_generation() -> None:
    new = written(pod(), "ephemeralcontainers", ephemeralContainers=[debug()])
    assert new["spec"]["ephemeralContainers"] == [debug()]
    assert new["metadata"]["generation"] == 4
    assert written(new, "ephemeralcontainers")["metadata"]["generation"] == 4, "nothing new, nothing counted"


def test_a_resize_takes_the_resources_and_nothing_else_of_a_container() -> None:
    old = pod(HALF)
    changed = {**old["spec"]["containers"][0], "image": "evil:1", "resources": WHOLE}
    new = written(old, "resize", containers=[changed])
    [main] = new["spec"]["containers"]
    assert (main["image"], main["resources"]) == ("app:1", WHOLE)
    assert new["metadata"]["generation"] == 4


def test_a_pod_itself_keeps_its_ephemeral_containers_and_sizes() -> None:
    old = pod(HALF)
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["resources"] = WHOLE
    prepare_update(POD, new, old)
    [cause] = validate_update(POD, new, old)
    assert "pod updates may not change fields other than" in cause.text()


def texts(new: Obj, old: Obj, subresource: str) -> list[str]:
    return [cause.text() for cause in validate_update(POD, new, old, subresource)]


@pytest.mark.parametrize(
    ("present", "wanted", "words"),
    [
        ([], [debug()], []),
        ([debug()], [debug(), debug("more")], []),
        ([debug()], [debug("more")], ['existing ephemeral containers "debug" may not be removed']),
        ([debug()], [debug(image="x")], ['existing ephemeral containers "debug" may not be changed']),
        ([], [debug(), debug()], ["spec.ephemeralContainers[1].name: Duplicate value"]),
        ([], [debug(targetContainerName="main")], []),
        ([], [debug(targetContainerName="init")], ["targetContainerName: Not found"]),
        ([], [debug(lifecycle={"preStop": {}}, ports=[{}])], ["ports", "lifecycle"]),
        ([], [debug(restartPolicy="Always")], ["restartPolicy: Forbidden"]),
        ([], [debug(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "x"}])], ["subPath: Forbidden"]),
        ([], [debug(volumeMounts=[{"name": "none", "mountPath": "/v"}])], ['Not found: "none"']),
    ],
)
def test_which_ephemeral_containers_may_be_added(present: list[Obj], wanted: list[Obj], words: list[str]) -> None:
    volumes = [{"name": "v", "emptyDir": {}}]
    old, new = pod(ephemeralContainers=present, volumes=volumes), pod(ephemeralContainers=wanted, volumes=volumes)
    found = texts(new, old, "ephemeralcontainers")
    assert all(any(word in text for text in found) for word in words), found
    assert bool(found) is bool(words), found


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (HALF, WHOLE, ""),
        (WHOLE, HALF, ""),
        ({}, {}, ""),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}, ""),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "2", "memory": "1Mi"}}, ""),
        ({"requests": {"cpu": "1"}}, {"requests": {"memory": "1Mi"}}, "resource requests cannot be removed"),
        ({"requests": {"cpu": "1"}}, {}, "Pod QOS Class may not change"),
        ({}, {"requests": {"cpu": "1"}}, "Pod QOS Class may not change"),
        (HALF, {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}, "resource limits cannot be removed"),
        ({"requests": {"cpu": "2"}}, {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}, "must be less than or equal"),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "-1"}}, "must be greater than or equal to 0"),
        (
            {"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}},
            {"requests": {"cpu": "1", "ephemeral-storage": "2Gi"}},
            "only cpu and memory resources are mutable",
        ),
    ],
)
def test_which_sizes_may_be_asked_for(before: Obj, after: Obj, words: str) -> None:
    found = texts(pod(after), pod(before), "resize")
    assert any(words in text for text in found) if words else found == [], found


@pytest.mark.parametrize("subresource", ["ephemeralcontainers", "resize"])
def test_static_pods_are_changed_in_their_files(subresource: str) -> None:
    old = pod(HALF)
    old["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["resources"] = WHOLE
    [text] = texts(new, old, subresource)
    assert "static pods" in text


def test_a_resize_names_the_same_containers() -> None:
    old, new = pod(), pod()
    new["spec"]["containers"].append({"name": "more", "image": "app:1"})
    assert any("may not add, remove, rename or reorder" in text for text in texts(new, old, "resize"))
