"""Endpoints are shared out among zones by their CPU (KEP-2433, k8s.io/endpointslice/topologycache)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api.kinds import ENDPOINTSLICE, NODE
from homeostat.controllers.services import endpointslice, topologyhints
from tests.support.controlling import NOW, Bench, node, pod, run, service

AUTO = {"service.kubernetes.io/topology-mode": "Auto"}


def sized(name: str, zone: str, cpu: str = "2", **more: Any) -> dict[str, Any]:
    made = node(name, zone=zone, **more)
    made["status"]["allocatable"] = {"cpu": cpu}
    return made


def test_a_zones_share_is_that_of_its_ready_workers_cpu() -> None:
    master = sized("m", "east", "64")
    master["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    nodes = [sized("a", "east", "1"), sized("b", "west", "2"), sized("c", "west", "1"), master]
    assert topologyhints.shares(nodes) == {"east": 0.25, "west": 0.75}
    assert topologyhints.shares([*nodes, sized("d", "north", ready="False")]) == {"east": 0.25, "west": 0.75}


@pytest.mark.parametrize("odd", [sized("x", ""), sized("x", "east", "0")])
def test_a_node_without_zone_or_cpu_removes_all_hints(odd: dict[str, Any]) -> None:
    assert topologyhints.shares([sized("a", "east"), sized("b", "west"), odd]) == {}


def test_one_zone_is_nothing_to_choose_from() -> None:
    assert topologyhints.shares([sized("a", "east"), sized("b", "east")]) == {}


HALVES = {"east": 0.5, "west": 0.5}


@pytest.mark.parametrize(
    ("zones", "meant"),
    [
        (["east", "west"], ["east", "west"]),
        (["east", "east"], ["west", "east"]),
        (["east"] * 4, ["west", "west", "east", "east"]),
        # Three in two halves: the least for each is 2 (1.5 / 1.2, rounded up), which is more than there is.
        (["east", "east", "west"], []),
        (["east"], []),
        (["east", ""], []),
    ],
)
def test_endpoints_stay_in_their_zone_unless_another_lacks_some(zones: list[str], meant: list[str]) -> None:
    assert topologyhints.assign(zones, HALVES) == meant


@given(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=40),
    st.lists(st.integers(1, 20), min_size=2, max_size=3),
)
def test_no_zone_gets_less_than_it_must_have(zones: list[str], weights: list[int]) -> None:
    parts = {zone: weight / sum(weights) for zone, weight in zip("abc", weights, strict=False)}
    meant = topologyhints.assign(zones, parts)
    if not meant:
        return
    assert len(meant) == len(zones)
    got = Counter(meant)
    for zone, part in parts.items():
        if set(zones) <= set(parts):
            assert got[zone] * 1.2 + 1.5 >= part * len(zones)


def bench(*objects: dict[str, Any], annotations: dict[str, str] = AUTO) -> Bench:
    made = service()
    made["metadata"]["annotations"] = annotations
    return Bench([endpointslice.loop()], [made, *objects])


def hints(world: Bench) -> list[str]:
    found = [e.get("hints") for item in world.all(ENDPOINTSLICE) for e in item["endpoints"]]
    return sorted(hint["forZones"][0]["name"] if hint else "" for hint in found)


def ready(name: str, where: str, address: str) -> dict[str, Any]:
    return run(pod(name, node=where), NOW, address=address)


def test_slices_have_hints_for_each_endpoint() -> None:
    pods = [ready(f"p{number}", "a", f"10.1.0.{number}") for number in range(1, 5)]
    world = bench(sized("a", "east"), sized("b", "west"), *pods)
    world.settle()
    assert hints(world) == ["east", "east", "west", "west"]
    # A zone that has gone needs no endpoints; with one left there is nothing to choose.
    world.remove(NODE, "b", "")
    world.settle()
    assert hints(world) == ["", "", "", ""]
    world.put(sized("b", "west", "6"))
    world.settle()
    assert hints(world) == ["east", "west", "west", "west"]


def test_without_the_annotation_there_are_no_hints() -> None:
    world = bench(sized("a", "east"), sized("b", "west"), ready("p", "a", "10.1.0.1"), annotations={})
    world.settle()
    assert hints(world) == [""]
