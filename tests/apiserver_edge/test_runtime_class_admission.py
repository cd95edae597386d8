"""RuntimeClass admission, and that its overhead counts wherever a Pod's size does.

Rules: plugin/pkg/admission/runtimeclass; component-helpers/resource (PodRequests); pkg/util/tolerations.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api.rules import tolerations
from homeostat.api.rules.tolerations import merged
from homeostat.node.decide.admission import refusal
from homeostat.scheduler.podinfo import pod_info
from tests.support.api_edge import World, pod, story

Obj = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
FIXED = {"cpu": "250m", "memory": "120Mi"}
MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"


async def runtime(w: World, name: str = "heavy", **more: Any) -> None:
    await w.account()
    await w.make(CLASSES, {"metadata": {"name": name}, "handler": "runc", **more})


def test_a_pod_gets_the_overhead_of_its_class():
    async def scenario(w: World) -> None:
        await runtime(w, overhead={"podFixed": FIXED})
        assert (await w.pod("a", runtimeClassName="heavy"))["spec"]["overhead"] == FIXED
        same = {"cpu": "0.25", "memory": "120Mi"}
        assert (await w.pod("b", runtimeClassName="heavy", overhead=same))["spec"]["overhead"] == FIXED
        assert "overhead" not in (await w.pod("c"))["spec"]

    story(scenario)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "nope"}, 'pod rejected: RuntimeClass "nope" not found'),
        ({"runtimeClassName": "heavy", "overhead": {"cpu": "1"}}, MISMATCH),
        ({"runtimeClassName": "heavy", "overhead": FIXED | {"cpu": "1"}}, MISMATCH),
        (
            {"overhead": FIXED},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "light", "overhead": FIXED},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "heavy", "nodeSelector": {"engine": "other"}},
            "conflict: runtimeClass.scheduling.nodeSelector[engine] = vm; pod.spec.nodeSelector[engine] = other",
        ),
    ],
)
def test_a_pod_that_contradicts_its_class_is_forbidden(spec, why):
    async def scenario(w: World) -> None:
        await runtime(w, overhead={"podFixed": FIXED}, scheduling={"nodeSelector": {"engine": "vm"}})
        await w.make(CLASSES, {"metadata": {"name": "light"}, "handler": "runc"})
        reply = await w.post(PODS, pod("x", **spec))
        assert (reply.status, reply.obj["reason"]) == (403, "Forbidden")
        assert reply.message == f'pods "x" is forbidden: {why}'

    story(scenario)


def test_a_pod_runs_where_its_class_can_be_had():
    taint = {"key": "vm", "operator": "Exists", "effect": "NoSchedule"}

    async def scenario(w: World) -> None:
        await runtime(w, scheduling={"nodeSelector": {"engine": "vm"}, "tolerations": [taint]})
        spec = (await w.pod("a", runtimeClassName="heavy", nodeSelector={"disk": "ssd"}))["spec"]
        assert spec["nodeSelector"] == {"disk": "ssd", "engine": "vm"}
        assert taint in spec["tolerations"]
        spec = (await w.pod("b", runtimeClassName="heavy", nodeSelector={"engine": "vm"}, tolerations=[taint]))["spec"]
        assert spec["nodeSelector"] == {"engine": "vm"}
        assert spec["tolerations"].count(taint) == 1
        # Only a creation asks the class: what runs keeps running when it is deleted.
        await w.call("DELETE", f"{CLASSES}/heavy")
        patch = {"content-type": "application/merge-patch+json"}
        changed = await w.call("PATCH", f"{PODS}/a", {"metadata": {"labels": {"x": "y"}}}, headers=patch)
        assert changed.status == 200

    story(scenario)


ANY, VM = {"operator": "Exists"}, {"key": "vm", "operator": "Exists"}
VM_NOW = {"key": "vm", "operator": "Equal", "value": "x", "effect": "NoSchedule"}
SHORT = {"key": "vm", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
LONG = SHORT | {"tolerationSeconds": 50}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], [VM], [VM]),
        ([VM], [VM], [VM]),
        ([VM_NOW], [VM], [VM]),
        ([VM], [VM_NOW], [VM]),
        ([ANY], [VM, VM_NOW, SHORT], [ANY]),
        ([SHORT], [LONG], [LONG]),
        ([LONG], [SHORT], [LONG]),
        ([VM_NOW], [VM_NOW | {"value": "y"}], [VM_NOW, VM_NOW | {"value": "y"}]),
        ([VM_NOW], [{"key": "other", "operator": "Exists"}], [VM_NOW, {"key": "other", "operator": "Exists"}]),
    ],
)
def test_tolerations_that_another_covers_are_left_out(first, second, expected):
    assert merged(first, second) == expected


KEYS, EFFECTS = st.sampled_from(("", "a", "b")), st.sampled_from(("", "NoExecute", "NoSchedule"))
TOLERATIONS = st.builds(
    lambda **parts: {name: value for name, value in parts.items() if value not in ("", None)},
    key=KEYS,
    effect=EFFECTS,
    operator=st.sampled_from(("", "Equal", "Exists")),
    value=st.sampled_from(("", "x")),
    tolerationSeconds=st.sampled_from((None, 1, 2)),
)


def plainly_merged(everything: list[Obj]) -> list[Obj]:
    """pkg/util/tolerations, MergeTolerations: each is compared with each."""
    kept: list[Obj] = []
    for position, toleration in enumerate(everything):
        if not any(tolerations._covers(other, toleration) for other in (*kept, *everything[position + 1 :])):
            kept.append(toleration)
    return kept


@given(st.lists(TOLERATIONS, max_size=8, unique_by=repr))
def test_merged_tolerations_are_those_that_comparing_each_with_each_leaves(everything):
    assert merged(everything[:3], everything[3:]) == plainly_merged(everything)


def test_merging_costs_a_few_comparisons_for_each_toleration(monkeypatch):
    """A Pod has as many as its body has room for: comparing each with each held the API server up for hours."""
    calls, count = 0, 300
    plain = tolerations._covers

    def counted(wide: Obj, narrow: Obj) -> bool:
        nonlocal calls
        calls += 1
        return plain(wide, narrow)

    monkeypatch.setattr(tolerations, "_covers", counted)
    many = [{"key": f"key{number}", "operator": "Exists"} for number in range(count)]
    assert merged(many, [{"key": "other", "operator": "Exists"}]) == [*many, {"key": "other", "operator": "Exists"}]
    assert calls <= 8 * count


def test_scheduler_and_kubelet_count_the_overhead_alike():
    container = {"name": "app", "image": "none", "resources": {"requests": {"cpu": "500m", "memory": "100Mi"}}}
    heavy = {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {"containers": [container], "overhead": FIXED},
    }
    assert pod_info(heavy).needs.requests == {"cpu": 750, "memory": 220 * 1024 * 1024}
    fits, short = {"cpu": "750m", "memory": "220Mi", "pods": "9"}, {"cpu": "749m", "memory": "220Mi", "pods": "9"}
    assert refusal(heavy, [], "n", {}, fits) is None
    trouble = refusal(heavy, [], "n", {}, short)
    assert trouble is not None and trouble.reason == "OutOfcpu"
    assert "requested: 750, used: 0, capacity: 749" in trouble.message
    assert refusal(heavy, [heavy], "n", {}, {"cpu": "1500m", "memory": "440Mi", "pods": "9"}) is None
    crowded = refusal(heavy, [heavy], "n", {}, {"cpu": "9", "memory": "439Mi", "pods": "9"})
    assert crowded is not None and crowded.reason == "OutOfmemory"
