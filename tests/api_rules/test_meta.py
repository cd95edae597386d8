"""Helpers over metadata, owners, conditions and Pods."""

import pytest

from homeostat.api import meta
from tests.support.rules import pod


def test_absent_metadata_reads_as_zero_values():
    for obj in ({}, {"metadata": None}, {"metadata": {}}):
        assert (meta.name(obj), meta.namespace(obj), meta.uid(obj)) == ("", "", "")
        assert meta.labels(obj) == meta.annotations(obj) == {}
        assert meta.finalizers(obj) == []
        assert (meta.resource_version(obj), meta.generation(obj), meta.deleting(obj)) == (0, 0, False)
        assert meta.created_at(obj) == 0


def test_key_has_the_namespace_only_where_there_is_one():
    assert meta.key({"metadata": {"name": "n"}}) == "n"
    assert meta.key({"metadata": {"name": "n", "namespace": "s"}}) == "s/n"
    assert meta.split_key("s/n") == ("s", "n")
    assert meta.split_key("n") == ("", "n")


def test_a_resource_version_that_is_no_number_reads_as_zero():
    assert meta.resource_version({"metadata": {"resourceVersion": "17"}}) == 17
    assert meta.resource_version({"metadata": {"resourceVersion": "abc"}}) == 0


def test_a_transition_time_moves_only_with_the_status():
    items = []
    assert meta.set_condition(items, {"type": "Ready", "status": "False", "reason": "A"}, "t1")
    assert meta.set_condition(items, {"type": "Ready", "status": "False", "reason": "B"}, "t2")
    assert items == [{"type": "Ready", "status": "False", "reason": "B", "lastTransitionTime": "t1"}]
    assert meta.set_condition(items, {"type": "Ready", "status": "True", "reason": "B"}, "t3")
    assert items[0]["lastTransitionTime"] == "t3"
    assert not meta.set_condition(items, {"type": "Ready", "status": "True", "reason": "B"}, "t4")
    assert items[0]["lastTransitionTime"] == "t3"


def test_setting_one_condition_leaves_the_others():
    items = [{"type": "A", "status": "True"}]
    meta.set_condition(items, {"type": "B", "status": "True"}, "t1")
    assert [item["type"] for item in items] == ["A", "B"]
    assert meta.condition_true({"status": {"conditions": items}}, "B")
    assert not meta.condition_true({"status": {"conditions": items}}, "C")


def test_an_ended_or_leaving_pod_is_not_active():
    running = pod() | {"status": {"phase": "Running"}}
    assert meta.pod_active(running)
    assert not meta.pod_terminal(running)
    for phase in ("Succeeded", "Failed"):
        assert meta.pod_terminal(pod() | {"status": {"phase": phase}})
        assert not meta.pod_active(pod() | {"status": {"phase": phase}})
    running["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not meta.pod_active(running)
    assert meta.pod_phase(pod()) == "Pending"


@pytest.mark.parametrize(
    ("status", "minimum", "now", "available"),
    [
        ("True", 0, 0.0, True),
        ("False", 0, 99.0, False),
        ("True", 10, 9.0, False),
        ("True", 10, 10.0, True),
    ],
)
def test_a_pod_is_available_when_it_was_ready_long_enough(status, minimum, now, available):
    since = "2026-01-01T00:00:00Z"
    start = meta.parse_time(since)
    ready = {"type": "Ready", "status": status, "lastTransitionTime": since}
    obj = pod() | {"status": {"conditions": [ready]}}
    assert meta.pod_available(obj, minimum, start + now) is available
    assert meta.pod_ready(obj) is (status == "True")


def test_times_of_kubernetes_and_malformed_ones():
    assert meta.parse_time("1970-01-01T00:00:10Z") == 10
    assert meta.parse_time("1970-01-01T00:00:10.500000Z") == 10.5
    assert meta.time_of(None, 3.0) == 3.0
    assert meta.time_of("yesterday", 3.0) == 3.0
    with pytest.raises(ValueError):
        meta.parse_time("yesterday")


def test_restarts_are_summed_over_containers():
    statuses = [{"restartCount": 2}, {"restartCount": 3}, {}]
    assert meta.pod_restarts({"status": {"containerStatuses": statuses}}) == 5
    assert meta.pod_node(pod(nodeName="n1")) == "n1"
