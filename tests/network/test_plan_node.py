"""What one node is to do with connections to a Service: by type, policy, hints and the state of endpoints.

Rules: the Service API (core/v1), CategorizeEndpoints (pkg/proxy/topology.go), KEP-1669 (terminating endpoints),
KEP-2433 and KEP-3015 (hints), KEP-1860 (ipMode).
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.network.decide.endpoint_selection import Here, endpoints_of, pools
from homeostat.network.decide.node_plan import Entry, Refusal, Way, plan_health, plan_node
from homeostat.network.decide.service_ports import Front

HERE = Here("n1", "east")
CLUSTER_IP = Front("10.96.0.5", 80)
NODE_PORT = Front("", 30080)


def service(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    base = {"type": "ClusterIP", "clusterIP": "10.96.0.5", "ports": [{"name": "web", "port": 80, "protocol": "TCP"}]}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {**base, **spec}, "status": status or {}}


def outside(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "web", "port": 80, "protocol": "TCP", "nodePort": 30080}]
    return service(status, **{"type": "LoadBalancer", "ports": ports, **spec})


def balanced(*ingress: dict[str, str]) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": list(ingress)}}


def endpoint(
    address: str, node: str = "n2", *, hints: dict[str, Any] | None = None, **conditions: bool
) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": conditions, "hints": hints}


def piece(*endpoints: dict[str, Any], family: str = "IPv4", protocol: str = "TCP") -> dict[str, Any]:
    ports = [{"name": "web", "port": 8080, "protocol": protocol}]
    return {"addressType": family, "endpoints": list(endpoints), "ports": ports}


def addresses(entry: Entry) -> list[str]:
    return [backend.address for backend in entry.inside]


def test_a_cluster_address_leads_to_the_ready_endpoints() -> None:
    ready, unknown, unready = (
        endpoint("10.244.2.2", ready=True),
        endpoint("10.244.2.3"),
        endpoint("10.244.2.4", ready=False),
    )
    plan = plan_node(service(), [piece(ready, unknown, unready)], HERE)
    assert list(plan) == [CLUSTER_IP]
    assert plan[CLUSTER_IP].way is Way.CLUSTER
    assert addresses(plan[CLUSTER_IP]) == ["10.244.2.2", "10.244.2.3"]  # unknown counts as ready


def test_headless_and_external_services_leave_the_kernel_alone() -> None:
    slices = [piece(endpoint("10.244.2.2"))]
    assert plan_node(service(clusterIP="None"), slices, HERE) == {}
    assert plan_node(service(type="ExternalName"), slices, HERE) == {}


def test_a_service_with_a_proxy_of_its_own_is_left_to_that() -> None:
    other = service()
    other["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "mesh"}
    assert plan_node(other, [piece(endpoint("10.244.2.2"))], HERE) == {}


def test_without_endpoints_connections_are_refused() -> None:
    entry = plan_node(service(), [], HERE)[CLUSTER_IP]
    assert (entry.inside, entry.refusal) == ((), Refusal.REJECT)


def test_endpoints_that_are_going_serve_while_no_other_is_ready() -> None:
    going = endpoint("10.244.2.2", ready=False, serving=True, terminating=True)
    deaf = endpoint("10.244.2.3", ready=False, serving=False, terminating=True)
    assert addresses(plan_node(service(), [piece(going, deaf)], HERE)[CLUSTER_IP]) == ["10.244.2.2"]
    both = plan_node(service(), [piece(going, endpoint("10.244.2.4"))], HERE)[CLUSTER_IP]
    assert addresses(both) == ["10.244.2.4"]


def test_an_address_that_moves_between_slices_counts_once_and_as_ready() -> None:
    old, new = piece(endpoint("10.244.2.2", ready=False)), piece(endpoint("10.244.2.2", ready=True))
    for slices in ([old, new], [new, old]):
        assert addresses(plan_node(service(), slices, HERE)[CLUSTER_IP]) == ["10.244.2.2"]


def test_ports_meet_by_name_and_protocol_and_other_families_are_left_out() -> None:
    slices = [piece(endpoint("10.244.2.2"), protocol="UDP"), piece(endpoint("fd00::2"), family="IPv6")]
    assert plan_node(service(), slices, HERE)[CLUSTER_IP].inside == ()
    ports = [{"name": "web", "port": 80, "protocol": "UDP"}]
    assert addresses(plan_node(service(ports=ports), slices, HERE)[Front("10.96.0.5", 80, "UDP")]) == ["10.244.2.2"]


def test_internal_policy_local_stays_on_the_node_and_drops_when_only_others_have_endpoints() -> None:
    near, far = endpoint("10.244.1.2", "n1"), endpoint("10.244.2.2")
    kept = service(internalTrafficPolicy="Local")
    assert addresses(plan_node(kept, [piece(near, far)], HERE)[CLUSTER_IP]) == ["10.244.1.2"]
    assert plan_node(kept, [piece(far)], HERE)[CLUSTER_IP].refusal is Refusal.DROP
    assert plan_node(kept, [piece()], HERE)[CLUSTER_IP].refusal is Refusal.REJECT


def test_external_addresses_and_node_ports_masquerade_under_policy_cluster() -> None:
    plan = plan_node(outside(externalIPs=["192.0.2.1"]), [piece(endpoint("10.244.2.2"))], HERE)
    assert {front: entry.way for front, entry in plan.items()} == {
        CLUSTER_IP: Way.CLUSTER,
        Front("192.0.2.1", 80): Way.EXTERNAL,
        NODE_PORT: Way.EXTERNAL,
    }


def test_external_policy_local_splits_clients_inside_and_outside() -> None:
    near, far = endpoint("10.244.1.2", "n1"), endpoint("10.244.2.2")
    entry = plan_node(outside(externalTrafficPolicy="Local"), [piece(near, far)], HERE)[NODE_PORT]
    assert entry.way is Way.LOCAL
    assert addresses(entry) == ["10.244.1.2", "10.244.2.2"]
    assert [backend.address for backend in entry.outside] == ["10.244.1.2"]
    elsewhere = plan_node(outside(externalTrafficPolicy="Local"), [piece(far)], HERE)[NODE_PORT]
    assert (elsewhere.outside, elsewhere.refusal) == ((), Refusal.DROP)


def test_local_endpoints_that_are_going_serve_outside_clients_while_none_here_is_ready() -> None:
    going = endpoint("10.244.1.2", "n1", ready=False, serving=True, terminating=True)
    entry = plan_node(outside(externalTrafficPolicy="Local"), [piece(going, endpoint("10.244.2.2"))], HERE)[NODE_PORT]
    assert [backend.address for backend in entry.outside] == ["10.244.1.2"]
    assert addresses(entry) == ["10.244.2.2"]


def test_balancer_addresses_are_served_here_unless_the_balancer_is_a_proxy() -> None:
    status = balanced({"ip": "172.30.0.200"}, {"ip": "172.30.0.201", "ipMode": "Proxy"}, {"hostname": "lb.example"})
    plan = plan_node(outside(status), [piece(endpoint("10.244.2.2"))], HERE)
    assert {front.address for front in plan} == {"10.96.0.5", "172.30.0.200", ""}
    # A status that a Service of another type has kept means nothing.
    assert set(plan_node(service(status), [], HERE)) == {CLUSTER_IP}


@pytest.mark.parametrize(
    ("ranges", "sources"),
    [
        ([], ()),
        (["10.0.0.0/8", " 192.0.2.0/24 "], ("10.0.0.0/8", "192.0.2.0/24")),
        (["10.0.0.0/8", "0.0.0.0/0"], ()),
        (["10.0.0.0/8", "fd00::/8"], ("10.0.0.0/8",)),
        # The kernel takes no ranges that overlap, nor bits of hosts.
        (["10.1.0.0/16", "10.2.3.4/8", "192.0.2.0/25", "192.0.2.128/25"], ("10.0.0.0/8", "192.0.2.0/24")),
    ],
)
def test_source_ranges_guard_the_balancers_address_alone(ranges: list[str], sources: tuple[str, ...]) -> None:
    given = outside(balanced({"ip": "172.30.0.200"}), loadBalancerSourceRanges=ranges)
    plan = plan_node(given, [piece(endpoint("10.244.2.2"))], HERE)
    assert plan[Front("172.30.0.200", 80)].sources == sources
    assert plan[NODE_PORT].sources == plan[CLUSTER_IP].sources == ()


def test_nothing_but_addresses_gets_into_rules() -> None:
    # One Service's mistake must not keep the rules of all others from being written.
    evil = "10.244.2.2 ; flush ruleset"
    status = balanced({"ip": evil}, {"ip": "172.30.0.200"})
    plan = plan_node(outside(status, externalIPs=["nonsense"]), [piece(endpoint(evil), endpoint("10.244.2.3"))], HERE)
    assert {front.address for front in plan} == {"10.96.0.5", "172.30.0.200", ""}
    assert {address for entry in plan.values() for address in addresses(entry)} == {"10.244.2.3"}
    assert plan_node(service(ports=[{"name": "web", "port": 80, "protocol": "drop"}]), [], HERE) == {}


def test_affinity_has_its_seconds() -> None:
    config = {"clientIP": {"timeoutSeconds": 60}}
    assert plan_node(service(sessionAffinity="ClientIP"), [], HERE)[CLUSTER_IP].affinity_seconds == 10800
    plan = plan_node(service(sessionAffinity="ClientIP", sessionAffinityConfig=config), [], HERE)
    assert plan[CLUSTER_IP].affinity_seconds == 60


def chosen(*endpoints: dict[str, Any], here: Here = HERE) -> list[str]:
    found = pools(endpoints_of([piece(*endpoints)], "web", "TCP"), here)
    return [backend.address for backend in found.cluster]


def zoned(address: str, *zones: str, nodes: tuple[str, ...] = (), **conditions: bool) -> dict[str, Any]:
    hints = {"forZones": [{"name": zone} for zone in zones], "forNodes": [{"name": node} for node in nodes]}
    return endpoint(address, hints=hints, **conditions)


def test_hints_for_the_zone_are_followed_when_all_ready_endpoints_have_some() -> None:
    east, west = zoned("10.244.1.2", "east"), zoned("10.244.2.2", "west")
    assert chosen(east, west) == ["10.244.1.2"]
    assert chosen(east, west, here=Here("n1", "north")) == ["10.244.1.2", "10.244.2.2"]
    assert chosen(east, west, here=Here("n1")) == ["10.244.1.2", "10.244.2.2"]
    assert chosen(east, endpoint("10.244.2.2")) == ["10.244.1.2", "10.244.2.2"]
    # One that is not ready does not count.
    assert chosen(east, endpoint("10.244.2.2", ready=False)) == ["10.244.1.2"]


def test_hints_for_the_node_come_before_those_for_the_zone() -> None:
    mine = zoned("10.244.1.2", "east", nodes=("n1",))
    near = zoned("10.244.1.3", "east", nodes=("n3",))
    assert chosen(mine, near) == ["10.244.1.2"]
    assert chosen(mine, near, here=Here("n9", "east")) == ["10.244.1.2", "10.244.1.3"]


def test_the_health_check_counts_ready_endpoints_of_this_node() -> None:
    near = [endpoint("10.244.1.2", "n1"), endpoint("10.244.1.3", "n1", ready=False), endpoint("10.244.2.2")]
    given = outside(externalTrafficPolicy="Local", healthCheckNodePort=31000)
    check = plan_health(given, [piece(*near)], HERE)
    assert check is not None
    assert (check.service, check.port, check.local_endpoints) == ("default/web", 31000, 1)
    assert plan_health(outside(healthCheckNodePort=31000), [], HERE) is None
    assert plan_health(service(), [], HERE) is None
