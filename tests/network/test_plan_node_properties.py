"""Whatever Services and EndpointSlices say: a node sends connections where it may, and nowhere else."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.network.decide.endpoint_selection import Here
from homeostat.network.decide.iptables_rules import render
from homeostat.network.decide.nft_base import CONTAINERS, Ranges
from homeostat.network.decide.nft_rules import Chain, Clients, Element, items
from homeostat.network.decide.node_plan import Entry, Refusal, Way, plan_node
from homeostat.network.decide.service_ports import Front

Obj = dict[str, Any]
RANGES = Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), ("172.30.0.21",))

conditions = st.fixed_dictionaries({}, optional={n: st.booleans() for n in ("ready", "serving", "terminating")})
hints = st.one_of(
    st.none(),
    st.builds(lambda zone: {"forZones": [{"name": zone}]}, st.sampled_from(["east", "west"])),
    st.builds(lambda node: {"forNodes": [{"name": node}]}, st.sampled_from(["n1", "n2"])),
)
endpoints = st.builds(
    lambda number, state, node, hint: {
        "addresses": [f"10.244.1.{number}"],
        "conditions": state,
        "nodeName": node,
        "hints": hint,
    },
    st.integers(2, 8),
    conditions,
    st.sampled_from(["n1", "n2", "n3"]),
    hints,
)
slices = st.lists(
    st.builds(
        lambda some: {"endpoints": some, "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}]},
        st.lists(endpoints, max_size=5),
    ),
    max_size=3,
)
specs = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        "internalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
        "externalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
        "sessionAffinity": st.sampled_from(["None", "ClientIP"]),
        "externalIPs": st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2"]), unique=True),
        "loadBalancerSourceRanges": st.lists(st.sampled_from(["10.0.0.0/8", "192.0.2.0/24"]), unique=True),
    }
)
here = st.builds(Here, st.sampled_from(["n1", "n2"]), st.sampled_from(["", "east", "west"]))


def service(spec: Obj) -> Obj:
    ports = [{"name": "web", "port": 80, "protocol": "TCP", "nodePort": 30080}]
    status = {"loadBalancer": {"ingress": [{"ip": "172.30.0.200"}]}}
    metadata = {"name": "web", "namespace": "default"}
    return {"metadata": metadata, "spec": {"clusterIP": "10.96.0.5", "ports": ports, **spec}, "status": status}


def states(pieces: list[Obj], address: str) -> list[Obj]:
    return [e["conditions"] for piece in pieces for e in piece["endpoints"] if e["addresses"] == [address]]


def is_ready(state: Obj) -> bool:
    return state.get("ready") is not False


@given(specs, slices, here)
def test_every_backend_is_ready_or_leaves_while_nothing_is_ready(spec: Obj, pieces: list[Obj], where: Here) -> None:
    for entry in plan_node(service(spec), pieces, where).values():
        for pool in (entry.inside, entry.outside):
            ready = [any(map(is_ready, states(pieces, backend.address))) for backend in pool]
            assert all(ready) or not any(ready)
            assert len({(backend.address, backend.port, backend.node) for backend in pool}) == len(pool)


@given(specs, slices, here)
def test_policy_local_never_leaves_the_node(spec: Obj, pieces: list[Obj], where: Here) -> None:
    for front, entry in plan_node(service(spec), pieces, where).items():
        if front.address == "10.96.0.5":
            if spec["internalTrafficPolicy"] == "Local":
                assert all(backend.node == where.name for backend in entry.inside)
        elif spec["externalTrafficPolicy"] == "Local":
            assert entry.way is Way.LOCAL and all(backend.node == where.name for backend in entry.outside)


@given(specs, slices, here)
def test_a_connection_is_rejected_only_when_nobody_in_the_cluster_serves(
    spec: Obj, pieces: list[Obj], where: Here
) -> None:
    found = [e["conditions"] for piece in pieces for e in piece["endpoints"]]
    for entry in plan_node(service(spec), pieces, where).values():
        if not entry.inside and entry.refusal is Refusal.REJECT:
            assert not any(map(is_ready, found))


@given(specs, slices, here)
def test_rules_name_only_what_is_there(spec: Obj, pieces: list[Obj], where: Here) -> None:
    plan = plan_node(service(spec), pieces, where)
    found = [item for front, entry in plan.items() for item in items(front, entry, where.name)]
    chains = {item.name for item in found if isinstance(item, Chain)} | {"refuse"}
    sets = {item.name for item in found if isinstance(item, Clients)}
    for item in found:
        texts = item.rules if isinstance(item, Chain) else (item.value,) if isinstance(item, Element) else ()
        for text in texts:
            words = text.replace(",", " ").split()
            assert {after for word, after in itertools.pairwise(words) if word == "goto"} <= chains
            named = {word[1:] for word in words if word.startswith("@")}
            assert named <= sets | set(CONTAINERS) | {"pod-ranges", "node-addresses", "service-ranges"}
        if isinstance(item, Element):
            assert item.container in CONTAINERS


@given(specs, slices, here)
def test_each_key_of_a_map_is_there_once(spec: Obj, pieces: list[Obj], where: Here) -> None:
    plan = plan_node(service(spec), pieces, where)
    elements = {item for f, e in plan.items() for item in items(f, e, where.name) if isinstance(item, Element)}
    assert len({(item.container, item.key) for item in elements}) == len(elements)


@given(specs, slices, here)
def test_iptables_rules_lead_only_to_chains_that_are_there(spec: Obj, pieces: list[Obj], where: Here) -> None:
    nat = render(plan_node(service(spec), pieces, where), RANGES).nat
    targets = {rule.rpartition("-j ")[2].split()[0] for rules in nat.values() for rule in rules}
    assert {target for target in targets if target.startswith("KUBE-")} <= set(nat)


def test_an_entry_knows_all_its_backends() -> None:
    front = Front("10.96.0.5", 80)
    assert plan_node(service({"type": "ClusterIP"}), [], Here("n1"))[front] == Entry(
        "default/web", "web", Way.CLUSTER, (), ()
    )
