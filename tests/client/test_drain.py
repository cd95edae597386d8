"""Draining a node: what is asked of the API, and when it ends.

Kubernetes: Safely Drain a Node; API-initiated Eviction (429 while a budget keeps the Pod).
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.client.contract import Listing
from homeostat.client.drain import cordon, drain, evict
from homeostat.kit import clock, virtual

Obj = dict[str, Any]


def pod(name: str, owner: str = "ReplicaSet") -> Obj:
    owners = [{"kind": owner, "name": "o", "uid": "x", "controller": True}]
    metadata = {"name": name, "namespace": "d", "uid": f"uid-{name}", "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}


class Cluster:
    """A client whose Pods go `ending_seconds` after their eviction; `refusals` are what evictions get first."""

    def __init__(self, *pods: Obj, ending_seconds: float = 1.0, refusals: tuple[ApiError, ...] = ()) -> None:
        self.pods = {each["metadata"]["name"]: each for each in pods}
        self.calls: list[str] = []
        self.cordoned: bool | None = None
        self._ending_seconds = ending_seconds
        self._refusals = list(refusals)
        self._ends: dict[str, float] = {}

    async def patch(self, kind: Any, name: str, namespace: str, patch: Obj) -> Obj:
        if name != "n1":
            raise errors.not_found("nodes", "", name)
        self.cordoned = patch["spec"]["unschedulable"]
        return {}

    async def list(self, kind: Any, *, fields: str) -> Listing:
        assert fields == "spec.nodeName=n1"
        for name, end in self._ends.items():
            if clock.monotonic() >= end:
                self.pods.pop(name, None)
        return Listing(list(self.pods.values()), "1")

    async def create(self, kind: Any, obj: Obj, *, subresource: str) -> Obj:
        name = obj["metadata"]["name"]
        assert subresource == "eviction"
        self.calls.append(name)
        if self._refusals:
            raise self._refusals.pop(0)
        self.pods[name]["metadata"]["deletionTimestamp"] = "now"
        self._ends[name] = clock.monotonic() + self._ending_seconds
        return {}


def drained(cluster: Cluster, node: str = "n1", seconds: float = 60.0) -> tuple[list[Obj], float]:
    """What is left, and how many seconds it took."""

    async def main() -> tuple[list[Obj], float]:
        begun = clock.monotonic()
        left = await drain(cluster, node, seconds=seconds)  # type: ignore[arg-type]
        return left, clock.monotonic() - begun

    return virtual.run(main, seed=1)


def test_each_pod_is_evicted_once_and_the_drain_ends_when_all_are_gone() -> None:
    cluster = Cluster(pod("a"), pod("b"), pod("daemon", "DaemonSet"))
    left, took = drained(cluster)
    assert (left, cluster.calls, cluster.cordoned) == ([], ["a", "b"], True)
    assert list(cluster.pods) == ["daemon"]
    assert 1.0 <= took < 2.0


def test_a_pod_that_a_budget_keeps_is_asked_for_again() -> None:
    refusal = errors.too_many_requests("the budget keeps it", retry_after_seconds=0)
    cluster = Cluster(pod("a"), refusals=(refusal, refusal))
    assert drained(cluster)[0] == []
    assert cluster.calls == ["a", "a", "a"]


def test_what_a_budget_keeps_too_long_is_left_and_named() -> None:
    refusal = errors.too_many_requests("the budget keeps it", retry_after_seconds=0)
    cluster = Cluster(pod("a"), refusals=(refusal,) * 10_000)
    left, took = drained(cluster, seconds=5.0)
    assert [each["metadata"]["name"] for each in left] == ["a"]
    assert 5.0 <= took < 6.0


def test_a_node_that_is_not_there_has_nothing_to_drain() -> None:
    cluster = Cluster(pod("a"))
    assert drained(cluster, node="gone")[0] == []
    assert cluster.calls == []


@pytest.mark.parametrize(("reason", "raised"), [("NotFound", False), ("Conflict", False), ("Forbidden", True)])
def test_a_pod_that_is_gone_or_replaced_needs_no_eviction(reason: str, raised: bool) -> None:
    code = {"NotFound": 404, "Conflict": 409, "Forbidden": 403}[reason]
    cluster = Cluster(pod("a"), refusals=(ApiError(code, reason, "no"),))

    async def main() -> None:
        await evict(cluster, pod("a"))  # type: ignore[arg-type]

    if raised:
        with pytest.raises(ApiError):
            virtual.run(main, seed=1)
    else:
        virtual.run(main, seed=1)


def test_a_node_is_uncordoned_by_taking_the_field_away() -> None:
    cluster = Cluster()

    async def main() -> None:
        await cordon(cluster, "n1", unschedulable=False)  # type: ignore[arg-type]

    virtual.run(main, seed=1)
    assert cluster.cordoned is None
