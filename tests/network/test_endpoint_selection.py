"""Which endpoints get new connections: one table for every proxy, in user space, by nftables and by iptables.

Rules: CategorizeEndpoints (pkg/proxy/topology.go), KEP-1669 (terminating endpoints), KEP-2433 and KEP-3015 (hints).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from homeostat.network.decide.endpoint_selection import NOWHERE, Here
from homeostat.network.decide.iptables_rules import render
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.nft_rules import Element, items
from homeostat.network.decide.node_plan import plan_health, plan_node
from homeostat.network.decide.service_ports import service_ports
from homeostat.network.decide.userspace_plan import plan_service

from . import test_plan_properties as drawn

Obj = dict[str, Any]
SERVICE: Obj = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"clusterIP": "10.96.0.5", "ports": [{"name": "web", "port": 80}]},
}
READY: Obj = {"ready": True}
LEAVING: Obj = {"ready": False, "serving": True, "terminating": True}
GONE: Obj = {"ready": False, "serving": False, "terminating": True}
EAST: Obj = {"forZones": [{"name": "east"}]}
WEST: Obj = {"forZones": [{"name": "west"}]}
OTHER: Obj = {"forNodes": [{"name": "n2"}], "forZones": [{"name": "east"}]}
MINE: Obj = {"forNodes": [{"name": "n1"}], "forZones": [{"name": "west"}]}


def endpoint(last: int, state: Obj, hints: Obj | None = None, node: str = "n2") -> Obj:
    return {"addresses": [f"10.244.0.{last}"], "conditions": state, "nodeName": node, "hints": hints}


def piece(*endpoints: Obj, family: str = "IPv4", port: str = "web") -> Obj:
    return {"addressType": family, "endpoints": list(endpoints), "ports": [{"name": port, "port": 8080}]}


# slices; who takes connections without a place; on n1 in zone east; on n1 under policy Local
TABLE: dict[str, tuple[list[Obj], list[int], list[int], list[int]]] = {
    "no slice": ([], [], [], []),
    "ready": ([piece(endpoint(2, READY), endpoint(3, GONE))], [2], [2], []),
    "unknown counts as ready": ([piece(endpoint(2, {}))], [2], [2], []),
    "leaving, while none is ready": ([piece(endpoint(2, LEAVING), endpoint(3, GONE))], [2], [2], []),
    "leaving, while another is ready": ([piece(endpoint(2, LEAVING), endpoint(3, READY))], [3], [3], []),
    "another port": ([piece(endpoint(2, READY), port="metrics")], [], [], []),
    "another family": ([piece(endpoint(2, READY), family="IPv6")], [], [], []),
    "twice, ready in one": ([piece(endpoint(2, GONE)), piece(endpoint(2, READY))], [2], [2], []),
    "twice, leaving in one": ([piece(endpoint(2, GONE)), piece(endpoint(2, LEAVING))], [2], [2], []),
    "own endpoint": ([piece(endpoint(2, READY, node="n1"), endpoint(3, READY))], [2, 3], [2, 3], [2]),
    "own leaving": ([piece(endpoint(2, LEAVING, node="n1"), endpoint(3, READY))], [3], [3], [2]),
    "hints for zones": ([piece(endpoint(2, READY, EAST), endpoint(3, READY, WEST))], [2, 3], [2], []),
    "hints that lack": ([piece(endpoint(2, READY, EAST), endpoint(3, READY))], [2, 3], [2, 3], []),
    "hints for others": ([piece(endpoint(2, READY, WEST))], [2], [2], []),
    "hints for nodes": ([piece(endpoint(2, READY, OTHER), endpoint(3, READY, MINE))], [2, 3], [3], []),
    "hints for nodes that lack": ([piece(endpoint(2, READY, EAST), endpoint(3, READY, MINE))], [2, 3], [2], []),
}


def addresses(numbers: list[int]) -> list[str]:
    return [f"10.244.0.{number}" for number in numbers]


@pytest.mark.parametrize("case", TABLE)
def test_one_selection_of_endpoints_feeds_every_proxy(case: str) -> None:
    slices, anywhere, here, local = TABLE[case]
    (without_place,) = service_ports(SERVICE, slices, NOWHERE)
    (on_node,) = service_ports(SERVICE, slices, Here("n1", "east"))
    assert [backend.address for backend in without_place.backends.cluster] == addresses(anywhere)
    assert [backend.address for backend in on_node.backends.cluster] == addresses(here)
    assert [backend.address for backend in on_node.backends.local] == addresses(local)
    assert without_place.backends.local == ()


@pytest.mark.parametrize("case", TABLE)
def test_each_applier_sends_connections_to_the_selected_endpoints(case: str) -> None:
    slices, anywhere, here, _ = TABLE[case]
    rules = plan_service(SERVICE, slices, {}).values()
    assert [backend.address for rule in rules for backend in rule.backends] == addresses(anywhere)
    plan = plan_node(SERVICE, slices, Here("n1", "east"))
    elements = [item for front, entry in plan.items() for item in items(front, entry, "n1")]
    maps = [e for e in elements if isinstance(e, Element) and e.container == "service-endpoints"]
    assert [element.value.split()[0] for element in maps] == addresses(here)
    chains = render(plan, Ranges((), (), ())).nat
    targets = {rule.rpartition(" ")[2] for rules in chains.values() for rule in rules if "--to-destination" in rule}
    assert targets == {f"{address}:8080" for address in addresses(here)}


def test_no_proxy_serves_a_service_that_has_a_proxy_of_its_own() -> None:
    # KEP-2447: the label service.kubernetes.io/service-proxy-name.
    spec = {**SERVICE["spec"], "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
    labels = {"service.kubernetes.io/service-proxy-name": "mesh"}
    service = {"metadata": {**SERVICE["metadata"], "labels": labels}, "spec": spec}
    slices = [piece(endpoint(2, READY))]
    assert plan_service(service, slices, {}) == {}
    assert plan_node(service, slices, Here("n1")) == {}
    assert plan_health(service, slices, Here("n1")) is None


@given(drawn.slices, drawn.service_ports)
def test_user_space_and_kernel_agree_where_no_place_counts(pieces: list[Obj], wanted: list[Obj]) -> None:
    service = drawn.service(wanted)
    kernel = {front: entry.inside for front, entry in plan_node(service, pieces, NOWHERE).items() if front.address}
    user_space = {front: rule.backends for front, rule in plan_service(service, pieces, {}).items()}
    assert user_space == {front: backends for front, backends in kernel.items() if backends}
