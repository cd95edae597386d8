"""What rules the Services ask for, and who gets the next connection."""

from __future__ import annotations

from typing import Any

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Rule, changes, plan_service
from homeostat.network.userspace.balancer import Balancer

NODES = {"": "127.0.0.1", "w1": "127.10.0.21"}


def service(**spec: Any) -> dict[str, Any]:
    base = {"clusterIP": "127.11.0.5", "clusterIPs": ["127.11.0.5"], "ports": [{"name": "http", "port": 80}]}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {**base, **spec}}


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions, "nodeName": "w1"}


def piece(*endpoints: dict[str, Any], port: int = 8080, name: str = "http") -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "web"}
    ports = [{"name": name, "port": port, "protocol": "TCP"}]
    metadata = {"name": "web-x", "namespace": "default", "labels": labels}
    return {"metadata": metadata, "endpoints": list(endpoints), "ports": ports}


def test_only_ready_endpoints_get_connections() -> None:
    slices = [piece(endpoint("127.10.1.2", ready=True), endpoint("127.10.1.3", ready=False, serving=False))]
    plan = plan_service(service(), slices, NODES)
    assert plan == {
        Front("127.11.0.5", 80): Rule("default/web", "http", (Backend("127.10.1.2", 8080, "w1"),)),
    }


def test_terminating_endpoints_serve_only_when_no_other_does() -> None:
    leaving = endpoint("127.10.1.9", ready=False, serving=True, terminating=True)
    alone = plan_service(service(), [piece(leaving)], NODES)
    assert [b.address for b in alone[Front("127.11.0.5", 80)].backends] == ["127.10.1.9"]
    both = plan_service(service(), [piece(leaving, endpoint("127.10.1.2", ready=True))], NODES)
    assert [b.address for b in both[Front("127.11.0.5", 80)].backends] == ["127.10.1.2"]


def test_a_service_without_backends_refuses_connections() -> None:
    assert plan_service(service(), [piece(endpoint("127.10.1.3", ready=False))], NODES) == {}
    assert plan_service(service(), [], NODES) == {}


def test_headless_and_external_services_have_no_rules() -> None:
    slices = [piece(endpoint("127.10.1.2", ready=True))]
    assert plan_service(service(clusterIP="None", clusterIPs=["None"]), slices, NODES) == {}
    assert plan_service(service(type="ExternalName"), slices, NODES) == {}


def test_a_service_that_names_a_proxy_of_its_own_is_left_to_that() -> None:
    other = service()
    other["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "mesh"}
    assert plan_service(other, [piece(endpoint("127.10.1.2", ready=True))], NODES) == {}


def test_a_node_port_opens_on_the_host_and_on_every_node() -> None:
    ports = [{"name": "http", "port": 80, "nodePort": 30080}]
    plan = plan_service(service(ports=ports), [piece(endpoint("127.10.1.2", ready=True))], NODES)
    assert set(plan) == {
        Front("127.11.0.5", 80),
        Front("127.0.0.1", 30080),
        Front("127.10.0.21", 30080, "TCP", "w1"),
    }


def test_ports_meet_by_name_so_that_pods_may_differ_in_number() -> None:
    one, two = piece(endpoint("127.10.1.2"), port=8080), piece(endpoint("127.10.1.3"), port=9090)
    other = piece(endpoint("127.10.1.4"), port=1234, name="metrics")
    plan = plan_service(service(), [one, two, other], NODES)
    assert plan[Front("127.11.0.5", 80)].backends == (
        Backend("127.10.1.2", 8080, "w1"),
        Backend("127.10.1.3", 9090, "w1"),
    )


def test_a_new_plan_touches_only_what_differs() -> None:
    rule = Rule("default/web", "http", (Backend("127.10.1.2", 8080),))
    altered = Rule("default/web", "http", (Backend("127.10.1.3", 8080),))
    kept, gone, fresh, moved = (Front("127.11.0.5", port) for port in (1, 2, 3, 4))
    old = {kept: rule, gone: rule, moved: rule}
    new = {kept: rule, fresh: rule, moved: altered}
    assert changes(old, new) == ([gone], [fresh], [moved])


def backends(number: int) -> tuple[Backend, ...]:
    return tuple(Backend(f"127.10.1.{i}", 80) for i in range(number))


def test_connections_go_round_and_every_backend_is_tried_before_giving_up() -> None:
    balancer = Balancer(Rule("default/web", "", backends(3)))
    orders = [balancer.order("127.0.0.1", 0.0) for _ in range(3)]
    assert [order[0] for order in orders] == list(backends(3))
    assert all(sorted(order) == sorted(backends(3)) for order in orders)


def test_a_client_with_affinity_comes_back_to_its_backend_until_it_leaves_or_time_is_over() -> None:
    balancer = Balancer(Rule("default/web", "", backends(3), affinity_seconds=100))
    chosen = balancer.order("127.0.0.9", 0.0)[0]
    balancer.chosen("127.0.0.9", chosen, 0.0)
    assert {balancer.order("127.0.0.9", 50.0)[0] for _ in range(5)} == {chosen}
    assert len({balancer.order("127.0.0.9", 101.0)[0] for _ in range(3)}) == 3
    balancer.rule = Rule("default/web", "", tuple(b for b in backends(3) if b != chosen), affinity_seconds=100)
    assert chosen not in balancer.order("127.0.0.9", 50.0)
