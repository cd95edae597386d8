"""Which Pods a drain moves off a node.

Kubernetes: Safely Drain a Node (docs/tasks/administer-cluster/safely-drain-node); API-initiated Eviction.
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api.rules.eviction import eviction_of, is_mirror, leaves_on_drain

Obj = dict[str, Any]


def pod(owner: str = "", *, mirror: bool = False, phase: str = "Running") -> Obj:
    metadata: Obj = {"name": "p", "namespace": "d", "uid": "u"}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "o", "uid": "x", "controller": True}]
    if mirror:
        metadata["annotations"] = {"kubernetes.io/config.mirror": "digest"}
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("given", "leaves"),
    [
        (pod(), True),
        (pod("ReplicaSet"), True),
        (pod("StatefulSet"), True),
        (pod("DaemonSet"), False),
        (pod("Node", mirror=True), False),
        (pod(mirror=True), False),
        # A Pod of a DaemonSet that has ended runs no more.
        (pod("DaemonSet", phase="Succeeded"), True),
        (pod("DaemonSet", phase="Failed"), True),
        (pod("DaemonSet", phase="Pending"), False),
        (pod("ReplicaSet", phase="Succeeded"), True),
    ],
)
def test_a_drain_leaves_mirror_pods_and_running_daemons_alone(given: Obj, leaves: bool) -> None:
    assert leaves_on_drain(given) is leaves


def test_an_owner_that_is_no_controller_does_not_keep_a_pod() -> None:
    given = pod("DaemonSet")
    given["metadata"]["ownerReferences"][0]["controller"] = False
    assert leaves_on_drain(given)


def test_an_eviction_is_of_this_very_pod() -> None:
    body = eviction_of(pod())
    assert (body["apiVersion"], body["kind"]) == ("policy/v1", "Eviction")
    assert body["metadata"] == {"name": "p", "namespace": "d"}
    assert body["deleteOptions"] == {"preconditions": {"uid": "u"}}


def test_a_mirror_pod_is_known_by_its_annotation() -> None:
    assert is_mirror(pod(mirror=True)) and not is_mirror(pod()) and not is_mirror({})
