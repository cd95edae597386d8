"""Whatever Services and EndpointSlices say: connections go where they may, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Plan, Rule, changes, plan_service
from homeostat.network.userspace.applier import merged
from homeostat.network.userspace.balancer import Balancer

Obj = dict[str, Any]
NODES = {"": "127.0.0.1", "w1": "127.10.0.21", "w2": "127.10.0.22"}

flags = st.fixed_dictionaries({}, optional={name: st.booleans() for name in ("ready", "serving", "terminating")})
endpoints = st.builds(
    lambda number, conditions, node: {"addresses": [f"10.0.0.{number}"], "conditions": conditions, "nodeName": node},
    st.integers(1, 6),
    flags,
    st.sampled_from(["w1", "w2"]),
)
ports = st.builds(
    lambda name, number, protocol: {"name": name, "port": number, "protocol": protocol},
    st.sampled_from(["http", "dns", ""]),
    st.integers(0, 3).map(lambda n: 8080 + n),
    st.sampled_from(["TCP", "UDP"]),
)
slices = st.lists(
    st.builds(
        lambda some, own: {"endpoints": some, "ports": own},
        st.lists(endpoints, max_size=5),
        st.lists(ports, max_size=2),
    ),
    max_size=4,
)
service_ports = st.lists(
    st.builds(
        lambda port, number, node_port: {**port, "port": number, "nodePort": node_port},
        ports,
        st.integers(80, 82),
        st.sampled_from([0, 30080, 30081]),
    ),
    max_size=3,
    unique_by=lambda port: (port["port"], port["protocol"]),
)


def service(wanted: list[Obj], **more: Any) -> Obj:
    spec = {"clusterIP": "127.11.0.5", "ports": wanted, **more}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}


def may_serve(endpoint: Obj) -> bool:
    conditions = endpoint["conditions"]
    return conditions.get("ready", True) or bool(conditions.get("serving", True) and conditions.get("terminating"))


@given(slices, service_ports)
def test_no_rule_leads_to_an_endpoint_that_does_not_serve(pieces: list[Obj], wanted: list[Obj]) -> None:
    good = {e["addresses"][0] for piece in pieces for e in piece["endpoints"] if may_serve(e)}
    for rule in plan_service(service(wanted), pieces, NODES).values():
        assert rule.backends, "a front without a backend must not listen"
        assert {backend.address for backend in rule.backends} <= good


@given(slices, service_ports)
def test_an_endpoint_that_is_going_gets_nothing_while_another_is_ready(pieces: list[Obj], wanted: list[Obj]) -> None:
    ready = {
        (e["addresses"][0], port["port"])
        for piece in pieces
        for port in piece["ports"]
        for e in piece["endpoints"]
        if e["conditions"].get("ready", True)
    }
    for rule in plan_service(service(wanted), pieces, NODES).values():
        among = [(backend.address, backend.port) in ready for backend in rule.backends]
        assert all(among) or not any(among)


@given(slices, service_ports)
def test_a_rule_meets_its_port_by_name_and_protocol(pieces: list[Obj], wanted: list[Obj]) -> None:
    names = {(port["port"], port["protocol"]): port["name"] for port in wanted}
    for front, rule in plan_service(service(wanted), pieces, {}).items():
        offered = {
            port["port"]
            for piece in pieces
            for port in piece["ports"]
            if (port["name"], port["protocol"]) == (rule.port_name, front.protocol)
        }
        assert names[front.port, front.protocol] == rule.port_name
        assert {backend.port for backend in rule.backends} <= offered


@given(slices, service_ports)
def test_the_order_of_slices_does_not_matter(pieces: list[Obj], wanted: list[Obj]) -> None:
    single = [piece | {"ports": piece["ports"][:1]} for piece in pieces]
    assert plan_service(service(wanted), single, NODES) == plan_service(service(wanted), single[::-1], NODES)


rules = st.dictionaries(
    st.builds(Front, st.sampled_from(["127.11.0.1", "127.11.0.2"]), st.integers(80, 84)),
    st.builds(
        lambda number: Rule("default/web", "", (Backend("10.0.0.1", number),)),
        st.integers(1, 3),
    ),
)


@given(rules, rules)
def test_changes_lead_from_one_plan_to_the_other(old: Plan, new: Plan) -> None:
    closing, opening, altered = changes(old, new)
    reached = {front: rule for front, rule in old.items() if front not in closing}
    reached |= {front: new[front] for front in [*opening, *altered]}
    assert reached == new
    assert not set(closing) & set(new)
    assert changes(new, new) == ([], [], [])


def test_of_two_services_that_want_one_front_the_first_by_name_has_it() -> None:
    front, other = Front("127.0.0.1", 30080), Front("127.0.0.1", 30081)
    first, second = Rule("a/x", "", (Backend("1", 1),)), Rule("b/y", "", (Backend("2", 2),))
    plan = merged({"b/y": {front: second, other: second}, "a/x": {front: first}})
    assert plan == {front: first, other: second}


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({}, 0),
        ({"sessionAffinity": "None"}, 0),
        ({"sessionAffinity": "ClientIP"}, 10800),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, 5),
        ({"sessionAffinity": "None", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, 0),
    ],
)
def test_how_long_a_client_keeps_its_backend(spec: Obj, seconds: int) -> None:
    piece = {"endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}
    (rule,) = plan_service(service([{"port": 80}], **spec), [piece], {}).values()
    assert rule.affinity_seconds == seconds


def test_both_addresses_of_a_service_lead_to_the_same_backends() -> None:
    piece = {"endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 8080}]}
    plan = plan_service(service([{"port": 80}], clusterIPs=["127.11.0.5", "127.11.0.6"]), [piece], {})
    assert {front.address for front in plan} == {"127.11.0.5", "127.11.0.6"}
    assert len(set(plan.values())) == 1


# The balancer


def balancer(number: int, *, affinity: int = 0) -> Balancer:
    return Balancer(Rule("default/web", "", backends(number), affinity))


def backends(number: int) -> tuple[Backend, ...]:
    return tuple(Backend(f"10.0.0.{i}", 80) for i in range(number))


@given(
    st.integers(1, 7), st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 50)), max_size=40), st.integers(0, 20)
)
def test_every_backend_is_tried_once_whatever_came_before(
    number: int, story: list[tuple[str, float]], affinity: int
) -> None:
    one = balancer(number, affinity=affinity)
    for client, now in story:
        order = one.order(client, now)
        assert sorted(order) == sorted(backends(number))
        one.chosen(client, order[0], now)


@given(st.integers(1, 7), st.integers(1, 5))
def test_without_affinity_connections_are_shared_equally(number: int, rounds: int) -> None:
    one = balancer(number)
    firsts = [one.order("client", 0.0)[0] for _ in range(number * rounds)]
    assert {firsts.count(backend) for backend in backends(number)} == {rounds}


def test_each_connection_prolongs_the_affinity() -> None:
    one = balancer(3, affinity=10)
    kept = one.order("c", 0.0)[0]
    one.chosen("c", kept, 0.0)
    for now in (0.0, 9.0, 18.0, 27.0):
        assert one.order("c", now)[0] == kept
        one.chosen("c", kept, now)
    assert {one.order("c", 37.0)[0] for _ in range(3)} == set(backends(3))


def test_a_client_that_was_passed_on_keeps_its_new_backend() -> None:
    one = balancer(2, affinity=10)
    first, second = one.order("c", 0.0)
    one.chosen("c", first, 0.0)
    one.chosen("c", second, 1.0)  # the first could not be reached
    assert {one.order("c", 2.0)[0] for _ in range(4)} == {second}


def test_clients_do_not_share_their_affinity() -> None:
    one = balancer(2, affinity=10)
    for client in ("c", "d"):
        one.chosen(client, one.order(client, 0.0)[0], 0.0)
    assert one.order("c", 1.0)[0] != one.order("d", 1.0)[0]


def test_the_memory_of_clients_is_bounded_and_forgets_the_oldest() -> None:
    one = balancer(2, affinity=1000)
    for number in range(10_001):
        one.chosen(str(number), backends(2)[0], 0.0)
    assert len(one.clients) == 10_000
    assert "0" not in one.clients
