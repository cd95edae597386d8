"""What a Pod requests and what it may use: one rule for the scheduler, the kubelet and admission.

Kubernetes: Resource Management for Pods and Containers (docs/concepts/configuration/manage-resources-containers);
Init Containers (Resource sharing within containers); KEP-753; Pod Overhead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api.rules.podresources import aggregate, amounts_of, container_requests, pod_limits, pod_requests
from homeostat.apiserver.admission import limit_ranger
from homeostat.node.decide.admission import refusal
from homeostat.node.housekeeping import eviction
from homeostat.node.housekeeping.eviction import Usage
from homeostat.node.isolation import figures
from homeostat.scheduler.filters import fitting
from homeostat.scheduler.podinfo import pod_info
from tests.support import scheduling

Obj = dict[str, Any]
MIB = 1024 * 1024


def container(name: str = "c", *, requests: Obj | None = None, limits: Obj | None = None, **more: Any) -> Obj:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value is not None}
    return {"name": name, "image": "app", **({"resources": resources} if resources else {}), **more}


def sidecar(**resources: Any) -> Obj:
    return container("beside", restartPolicy="Always", **resources)


TABLE: list[tuple[Obj, dict[str, int], dict[str, int]]] = [
    # the Pod's spec, its requests, its limits
    ({"containers": [container()]}, {}, {}),
    ({"containers": [container(requests={"cpu": "100m", "memory": "1Mi"})]}, {"cpu": 100, "memory": MIB}, {}),
    # A limit is the request of a container that has none; requests that are there stay.
    ({"containers": [container(limits={"cpu": "2", "memory": "1Mi"}, requests={"cpu": "1"})]},
     {"cpu": 1000, "memory": MIB}, {"cpu": 2000, "memory": MIB}),
    # Zero is nothing.
    ({"containers": [container(requests={"cpu": "0"}, limits={"memory": "0"})]}, {}, {}),
    # Amounts are rounded up.
    ({"containers": [container(requests={"cpu": "0.1m", "memory": "100m"})]}, {"cpu": 1, "memory": 1}, {}),
    # App containers run together, init containers one after the other.
    ({"containers": [container(requests={"cpu": "100m"}), container(requests={"cpu": "200m"})]}, {"cpu": 300}, {}),
    ({"initContainers": [container(requests={"cpu": "250m"}), container(requests={"cpu": "400m"})],
      "containers": [container(requests={"cpu": "300m"})]}, {"cpu": 400}, {}),
    # A sidecar runs beside the app, and beside the init containers after it.
    ({"initContainers": [sidecar(requests={"cpu": "50m"})], "containers": [container(requests={"cpu": "300m"})]},
     {"cpu": 350}, {}),
    ({"initContainers": [container(requests={"cpu": "250m"}), sidecar(requests={"cpu": "50m"}),
                         container(requests={"cpu": "400m"})],
      "containers": [container(requests={"cpu": "300m"})]}, {"cpu": 450}, {}),
    ({"initContainers": [container(limits={"memory": "400Mi"}), sidecar(limits={"memory": "50Mi"})],
      "containers": [container(limits={"memory": "300Mi"})]},
     {"memory": 400 * MIB}, {"memory": 400 * MIB}),
    # Overhead comes on top; of limits, only on those that there are.
    ({"containers": [container(requests={"cpu": "100m"}, limits={"cpu": "1"})],
      "overhead": {"cpu": "10m", "memory": "5Mi"}}, {"cpu": 110, "memory": 5 * MIB}, {"cpu": 1010}),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "requests", "limits"), TABLE)
def test_a_pods_requests_and_limits_are_those_of_its_larger_phase(
    spec: Obj, requests: dict[str, int], limits: dict[str, int]
) -> None:
    assert pod_requests(spec) == requests
    assert pod_limits(spec) == limits


@pytest.mark.parametrize(("spec", "requests", "limits"), TABLE)
def test_scheduler_and_kubelet_count_the_same_requests(
    spec: Obj, requests: dict[str, int], limits: dict[str, int]
) -> None:
    pod = {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": spec}
    assert pod_info(pod).needs.requests == requests
    of_cgroup = figures.pod_amount(pod)
    assert (of_cgroup.cpu_request, of_cgroup.memory_request) == (requests.get("cpu", 0), requests.get("memory", 0))
    for resource in requests:
        unit = "m" if resource == "cpu" else ""
        enough = {resource: f"{requests[resource]}{unit}"}
        short = {resource: f"{requests[resource] - 1}{unit}"}
        assert refusal(pod, [], "n", {}, enough) is None
        trouble = refusal(pod, [], "n", {}, short)
        assert trouble is not None and trouble.reason == f"OutOf{resource}"


def test_a_container_that_requests_nothing_of_a_resource_counts_with_what_is_missing() -> None:
    """The scheduler's non-zero requests: kube-scheduler, NodeResourcesFit scoring."""
    spec = {"containers": [container(requests={"cpu": "0"}), container(requests={"memory": "1Mi"})]}
    assert pod_requests(spec, missing={"cpu": "100m", "memory": "200Mi"}) == {"cpu": 100, "memory": 201 * MIB}


def test_nothing_is_requested_by_what_has_no_resources() -> None:
    assert container_requests(None) == container_requests({}) == amounts_of(None) == {}
    assert pod_requests({}) == pod_limits({}) == {}


def test_amounts_of_any_unit_are_put_together_and_zero_is_kept() -> None:
    mains, inits = [{"cpu": 100}, {"cpu": 200, "gpu": 0}], [(False, {"cpu": 250}), (True, {"cpu": 50})]
    assert aggregate(mains, inits) == {"cpu": 350, "gpu": 0}


def test_a_limit_range_of_pods_counts_sidecars_with_the_app() -> None:
    """Kubernetes: Limit Ranges; KEP-753."""
    pod = {
        "metadata": {"name": "p"},
        "spec": {
            "initContainers": [sidecar(requests={"cpu": "1"}, limits={"cpu": "1"})],
            "containers": [container(requests={"cpu": "1"}, limits={"cpu": "1"})],
        },
    }
    limit = {"type": "Pod", "max": {"cpu": "1500m"}}
    assert limit_ranger._pod_breaches(pod, [limit]) == ["maximum cpu usage per Pod is 1500m, but limit is 2"]


def test_a_pod_that_uses_more_disk_than_its_limits_together_is_evicted() -> None:
    """Kubernetes: Local ephemeral storage: the Pod's limit is the sum of the limits that its containers have."""
    spec = {"containers": [container("a", limits={"ephemeral-storage": "1Mi"}), container("b")]}
    pod = {"metadata": {"name": "p"}, "spec": spec}
    assert eviction.over_own_limits(pod, Usage(disk={"a": 1, "b": MIB - 1})) is None
    trouble = eviction.over_own_limits(pod, Usage(disk={"a": 1, "b": MIB}))
    assert trouble is not None and "total limit of containers 1024Ki" in trouble.message


def test_who_uses_more_disk_than_its_pod_requested_goes_first() -> None:
    """Kubernetes: Node-pressure Eviction (Pod selection for kubelet eviction): requests are those of PodRequests."""

    def pod(uid: str, **spec: Any) -> Obj:
        return {"metadata": {"name": uid, "uid": uid}, "spec": {"containers": [container()], **spec}}

    (limit,) = eviction.thresholds("nodefs.available<1Gi")
    with_overhead = pod("overhead", overhead={"ephemeral-storage": "10Mi"})
    plain = pod("plain")
    usage = {"overhead": Usage(disk={"c": 9 * MIB}), "plain": Usage(disk={"c": MIB})}
    ranked = eviction.ranked([with_overhead, plain], usage, limit)
    assert [each["metadata"]["name"] for each in ranked] == ["plain", "overhead"]


quantities = st.sampled_from(["0", "1", "250m", "2"])
containers = st.builds(
    lambda requests, limits, more: container(requests=requests, limits=limits, **more),
    st.one_of(st.none(), st.dictionaries(st.just("cpu"), quantities)),
    st.one_of(st.none(), st.dictionaries(st.just("cpu"), quantities)),
    st.sampled_from([{}, {"restartPolicy": "Always"}]),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(containers, min_size=1, max_size=3),
    st.lists(containers, max_size=3),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
)
def test_the_schedulers_columns_say_of_resources_what_the_rule_says_of_each_node(
    mains: list[Obj], inits: list[Obj], nodes: list[int]
) -> None:
    spec = {"containers": [{**main, "restartPolicy": None} for main in mains], "initContainers": inits}
    pod = {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": spec}
    cluster = scheduling.snapshot(*(scheduling.node(f"n{number}", cpu=str(cpu)) for number, cpu in enumerate(nodes)))
    expected = [pod_requests(spec).get("cpu", 0) <= cpu * 1000 for cpu in nodes]
    assert np.array_equal(fitting(cluster, pod_info(pod))[: len(nodes)], expected)
