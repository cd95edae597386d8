"""One object, two versions: what a client of either sees."""

import copy

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.catalogue.conversions import convert
from homeostat.api.kinds import EVENT, EVENT_V1, HPA, HPA_V1, POD
from homeostat.api.shape.structural import conform

of = Catalogue.builtin().resource


OLD = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "e", "namespace": "default"},
    "involvedObject": {"kind": "Pod", "name": "p"},
    "reason": "Killing",
    "message": "Stopping",
    "source": {"component": "kubelet", "host": "n1"},
    "count": 2,
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "lastTimestamp": "2026-01-01T00:01:00Z",
    "type": "Normal",
    "reportingComponent": "kubelet",
    "reportingInstance": "n1",
    "eventTime": "2026-01-01T00:00:00.000000Z",
}


def test_events_have_one_home():
    assert EVENT_V1.home is EVENT
    assert HPA_V1.home is HPA
    assert POD.home is POD


def test_an_event_of_either_group_is_the_same_event():
    new = convert(OLD, EVENT_V1)
    assert new["regarding"] == OLD["involvedObject"]
    assert new["note"] == "Stopping"
    assert new["deprecatedCount"] == 2
    assert new["reportingController"] == "kubelet"
    assert conform(of(EVENT_V1), copy.deepcopy(new), field_validation="Strict").problems == []
    assert convert(new, EVENT) == OLD


def test_the_same_version_is_the_same_object():
    assert convert(OLD, EVENT) is OLD


def test_there_is_no_way_between_other_versions():
    with pytest.raises(ValueError, match="Pod cannot be converted from v2 to v1"):
        convert({"apiVersion": "v2", "kind": "Pod"}, POD)


def autoscaler_v2():
    target = {"type": "Utilization", "averageUtilization": 50}
    metrics = [
        {"type": "Pods", "pods": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "5"}}},
        {"type": "Resource", "resource": {"name": "cpu", "target": target}},
    ]
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, "minReplicas": 1}
    status = {"currentReplicas": 1, "conditions": [{"type": "AbleToScale", "status": "True"}]}
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}}
    return {**head, "spec": {**spec, "metrics": metrics, "behavior": behavior}, "status": status}


def test_v1_says_the_cpu_target_and_carries_the_rest():
    old = convert(autoscaler_v2(), HPA_V1)
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in old["spec"]
    assert conform(of(HPA_V1), copy.deepcopy(old), field_validation="Strict").problems == []


def test_nothing_is_lost_by_way_of_v1():
    start = autoscaler_v2()
    back = convert(convert(start, HPA_V1), HPA)
    assert back["metadata"] == start["metadata"]
    assert back["status"] == start["status"]
    assert sorted(back["spec"]["metrics"], key=str) == sorted(start["spec"]["metrics"], key=str)
    assert back["spec"]["behavior"] == start["spec"]["behavior"]


def test_a_v1_autoscaler_without_a_target_gets_the_default_one():
    start = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 2}}
    new = convert(start, HPA)
    of(HPA).apply_defaults(new)
    assert convert(new, HPA_V1)["spec"]["targetCPUUtilizationPercentage"] == 80


def test_a_broken_annotation_is_no_reason_to_fail():
    meta = {"annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{", "mine": "x"}}
    new = convert({"apiVersion": "autoscaling/v1", "metadata": meta, "spec": {}}, HPA)
    assert new["metadata"] == {"annotations": {"mine": "x"}}
