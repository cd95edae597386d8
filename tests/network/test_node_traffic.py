"""Real traffic through real rules, of nftables and of iptables: two nodes, Pods and an outside host in namespaces.

Rules: "Virtual IPs and Service Proxies" of the Kubernetes documentation, pkg/proxy/nftables.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from homeostat.network.decide.endpoint_selection import Here
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.node_plan import Entry, plan_node
from homeostat.network.decide.service_ports import Front
from homeostat.network.kernel.conntrack import Connections
from homeostat.network.kernel.iptables import IptablesRules
from homeostat.network.kernel.nft import NftRules
from homeostat.network.kubeproxy.node_proxy import NodeRules
from tests.support.wires import Wires, answer_of, ask, ask_often

pytestmark = pytest.mark.real

NODE_ADDRESSES = {"a": "172.30.0.21", "b": "172.30.0.22"}
CLUSTER_IP, BALANCER_IP, NODE_PORT = "10.96.0.5", "172.30.0.200", 30080


class Cluster:
    """The wires, and one Service on both nodes."""

    def __init__(self, wires: Wires, mode: str) -> None:
        self.wires = wires
        self._mode = mode
        self.restart()
        self.pods: dict[str, str] = {}
        self.client = wires.pod("a", port=0)[0]
        for node in ("a", "b", "b"):
            self.pods[wires.pod(node)[1]] = node

    def on(self, node: str) -> list[str]:
        """The addresses of the Pods on a node."""
        return [address for address, place in self.pods.items() if place == node]

    def serve(self, addresses: list[str] | None = None, **spec: Any) -> None:
        """Have both nodes serve the Service over Pods with these addresses (None: all)."""
        for name in self.rules:
            self.wires.nodes[name].aio(self._serve(name, self.plan(name, addresses, **spec)))

    async def _serve(self, name: str, plan: dict[Front, Entry]) -> None:
        before, self.plans[name] = self.plans.get(name, {}), plan
        await self.rules[name].apply(plan)
        await self.connections[name].follow(before, plan)

    def restart(self) -> None:
        """Forget everything, as a proxy does that begins again."""
        self.plans: dict[str, dict[Front, Entry]] = {}
        self.connections = {name: Connections((address,)) for name, address in NODE_ADDRESSES.items()}
        self.rules = {name: self._rules_of(name, address) for name, address in NODE_ADDRESSES.items()}

    def _rules_of(self, name: str, address: str) -> NodeRules:
        ranges = Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), (address,))
        return NftRules(name, ranges) if self._mode == "nftables" else IptablesRules(ranges)

    def plan(self, node: str, addresses: list[str] | None = None, **spec: Any) -> dict[Front, Entry]:
        """The Service's entries on a node."""
        chosen = list(self.pods) if addresses is None else addresses
        return plan_node(service(**spec), [piece({a: self.pods[a] for a in chosen})], Here(node))


def service(**spec: Any) -> dict[str, Any]:
    protocol = spec.pop("protocol", "TCP")
    ports = [{"name": "web", "port": 80, "nodePort": NODE_PORT, "protocol": protocol}]
    base = {"type": "NodePort", "clusterIP": CLUSTER_IP, "clusterIPs": [CLUSTER_IP], "ports": ports}
    status = {"loadBalancer": {"ingress": [{"ip": BALANCER_IP}]}}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {**base, **spec}, "status": status}


def piece(pods: dict[str, str]) -> dict[str, Any]:
    endpoints = [
        {"addresses": [address], "conditions": {"ready": True}, "nodeName": node} for address, node in pods.items()
    ]
    ports = [{"name": "web", "port": 8080, "protocol": protocol} for protocol in ("TCP", "UDP")]
    return {"metadata": {"name": "web-x"}, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}


@pytest.fixture(scope="module", params=["nftables", "iptables"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    wires = Wires()
    yield Cluster(wires, request.param)
    wires.close()


def test_a_cluster_address_spreads_connections_over_all_ready_endpoints(cluster: Cluster) -> None:
    cluster.serve()
    seen = ask_often(cluster.client, 90, CLUSTER_IP)
    assert set(seen) == set(cluster.pods)
    assert min(seen.values()) > 10  # of 30 expected: less has a chance of one in 100,000


def test_pods_see_the_true_source_of_a_pod_and_the_nodes_address_for_others(cluster: Cluster) -> None:
    far = cluster.on("b")[0]
    cluster.serve([far])
    assert ask(cluster.client, CLUSTER_IP) == f"{far} 10.244.1.2"
    assert ask(cluster.wires.nodes["a"], CLUSTER_IP) == f"{far} 172.30.0.21"


def test_a_node_port_answers_on_every_node_also_without_a_local_endpoint(cluster: Cluster) -> None:
    near = cluster.on("a")[0]
    cluster.serve([near])
    for address in NODE_ADDRESSES.values():
        answer = ask(cluster.wires.outside, address, NODE_PORT)
        assert answer.split()[0] == near
    # externalTrafficPolicy Cluster: the answer must come back the way it went, so the node's address is the source.
    assert ask(cluster.wires.outside, "172.30.0.22", NODE_PORT) == f"{near} 172.30.0.22"


def test_policy_local_keeps_the_clients_address_and_stays_on_the_node(cluster: Cluster) -> None:
    cluster.serve(externalTrafficPolicy="Local")
    near = cluster.on("a")[0]
    assert {ask(cluster.wires.outside, "172.30.0.21", NODE_PORT) for _ in range(10)} == {f"{near} 172.30.0.9"}
    # Inside the cluster such an address leads to all endpoints.
    assert set(ask_often(cluster.client, 60, "172.30.0.21", NODE_PORT)) == set(cluster.pods)
    assert set(ask_often(cluster.wires.nodes["a"], 60, "172.30.0.21", NODE_PORT)) == set(cluster.pods)


def test_a_service_without_endpoints_refuses_at_once(cluster: Cluster) -> None:
    cluster.serve([])
    assert ask(cluster.client, CLUSTER_IP) == "refused"
    assert ask(cluster.wires.nodes["a"], CLUSTER_IP) == "refused"
    assert ask(cluster.wires.outside, "172.30.0.21", NODE_PORT) == "refused"


def test_a_pod_reaches_itself_through_its_service(cluster: Cluster) -> None:
    near = cluster.on("a")[0]
    cluster.serve([near])
    own = next(space for space in cluster.wires.spaces if space.name == near)
    assert ask(own, CLUSTER_IP).split()[0] == near


def test_a_drop_elsewhere_is_no_refusal_under_policy_local(cluster: Cluster) -> None:
    # Node b has no endpoint: silence, so that a load balancer or the client tries another node.
    near = cluster.on("a")
    cluster.serve(near, externalTrafficPolicy="Local")
    assert ask(cluster.wires.outside, "172.30.0.22", NODE_PORT, patience=0.3) == "silent"
    assert ask(cluster.wires.outside, "172.30.0.21", NODE_PORT).split()[0] == near[0]


def test_a_client_with_affinity_comes_back_to_its_endpoint_until_that_leaves(cluster: Cluster) -> None:
    cluster.serve(sessionAffinity="ClientIP")
    seen = ask_often(cluster.client, 20, CLUSTER_IP)
    assert len(seen) == 1
    first = next(iter(seen))
    others = [address for address in cluster.pods if address != first]
    cluster.serve(others, sessionAffinity="ClientIP")
    again = ask_often(cluster.client, 20, CLUSTER_IP)
    assert len(again) == 1 and set(again) <= set(others)
    # One that returns does not take its old clients from where they are now.
    cluster.serve(sessionAffinity="ClientIP")
    assert ask_often(cluster.client, 5, CLUSTER_IP) == {next(iter(again)): 5}


def test_another_port_of_a_cluster_address_is_refused(cluster: Cluster) -> None:
    cluster.serve()
    assert ask(cluster.client, CLUSTER_IP, 81) == "refused"
    assert ask(cluster.wires.nodes["b"], CLUSTER_IP, 81) == "refused"


def test_an_external_address_leads_to_the_endpoints_from_wherever_it_arrives(cluster: Cluster) -> None:
    cluster.wires.outside.ip("route add 192.0.2.1/32 via 172.30.0.22")
    cluster.serve(externalIPs=["192.0.2.1"])
    assert set(ask_often(cluster.wires.outside, 60, "192.0.2.1")) == set(cluster.pods)
    assert set(ask_often(cluster.client, 60, "192.0.2.1")) == set(cluster.pods)


def test_source_ranges_of_a_balancer_keep_others_out(cluster: Cluster) -> None:
    cluster.wires.outside.ip(f"route replace {BALANCER_IP}/32 via 172.30.0.21")
    balanced = {"type": "LoadBalancer", "loadBalancerSourceRanges": ["172.30.0.9/32"]}
    cluster.serve(**balanced)
    assert ask(cluster.wires.outside, BALANCER_IP).split()[0] in cluster.pods
    cluster.serve(**(balanced | {"loadBalancerSourceRanges": ["198.51.100.0/24"]}))
    assert ask(cluster.wires.outside, BALANCER_IP, patience=0.3) == "silent"
    # The node port has no such guard (core/v1, loadBalancerSourceRanges).
    assert ask(cluster.wires.outside, "172.30.0.21", NODE_PORT).split()[0] in cluster.pods


def test_no_new_connection_fails_while_endpoints_come_and_go(cluster: Cluster) -> None:
    cluster.serve()
    pods = list(cluster.pods)
    answers: list[str] = []
    done = threading.Event()

    def stream() -> None:
        while not done.is_set():
            answers.append(answer_of(CLUSTER_IP, 80))

    thread = cluster.client.thread(stream)
    for round_ in range(12):
        cluster.serve(pods[: 1 + round_ % 3])
    done.set()
    thread.join()
    assert len(answers) > 100
    assert {answer.split()[0] for answer in answers} == set(pods)


def test_no_new_connection_fails_while_a_restarted_proxy_takes_over(cluster: Cluster) -> None:
    cluster.serve()
    done, answers = threading.Event(), Counter[str]()

    def stream() -> None:
        while not done.is_set():
            answers[answer_of(CLUSTER_IP, 80).split()[0]] += 1

    thread = cluster.client.thread(stream)
    for _ in range(5):
        cluster.restart()
        cluster.serve()
    done.set()
    thread.join()
    assert set(answers) == set(cluster.pods)


def test_datagrams_of_a_known_client_move_on_when_their_endpoint_leaves(cluster: Cluster) -> None:
    cluster.serve([], protocol="UDP")
    client = cluster.client
    source = 40053
    assert ask(client, CLUSTER_IP, udp=True, source_port=source) == "refused"
    for address in cluster.pods:
        cluster.serve([address], protocol="UDP")
        # The same source port each time: without clearing, the kernel would follow the entry of the one before.
        assert ask(client, CLUSTER_IP, udp=True, source_port=source).split()[0] == address
    cluster.restart()
    first = next(iter(cluster.pods))
    cluster.serve([first], protocol="UDP")
    assert ask(client, CLUSTER_IP, udp=True, source_port=source).split()[0] == first


def test_internal_policy_local_serves_on_the_node_and_is_silent_where_only_others_have_endpoints(
    cluster: Cluster,
) -> None:
    near, far = cluster.on("a")[0], cluster.on("b")[0]
    cluster.serve([near, far], internalTrafficPolicy="Local")
    assert set(ask_often(cluster.client, 10, CLUSTER_IP)) == {near}
    cluster.serve([far], internalTrafficPolicy="Local")
    assert ask(cluster.client, CLUSTER_IP, patience=0.3) == "silent"


def test_a_cluster_address_from_outside_the_cluster_answers_by_way_of_the_node(cluster: Cluster) -> None:
    cluster.wires.outside.ip("route replace 10.96.0.0/16 via 172.30.0.21")
    far = cluster.on("b")[0]
    cluster.serve([far])
    assert ask(cluster.wires.outside, CLUSTER_IP) == f"{far} 172.30.0.21"


def test_a_pod_reaches_itself_through_a_node_port_too(cluster: Cluster) -> None:
    near = cluster.on("a")[0]
    cluster.serve([near])
    own = next(space for space in cluster.wires.spaces if space.name == near)
    assert ask(own, "172.30.0.21", NODE_PORT).split()[0] == near
    cluster.serve([near], externalTrafficPolicy="Local")
    assert ask(own, "172.30.0.21", NODE_PORT).split()[0] == near


def test_affinity_holds_for_outside_clients_of_a_node_port(cluster: Cluster) -> None:
    cluster.serve(sessionAffinity="ClientIP")
    first = ask(cluster.wires.outside, "172.30.0.22", NODE_PORT).split()[0]
    assert set(ask_often(cluster.wires.outside, 15, "172.30.0.22", NODE_PORT)) == {first}


def test_node_ports_serve_datagrams(cluster: Cluster) -> None:
    far = cluster.on("b")[0]
    ports = [{"name": "web", "port": 80, "nodePort": NODE_PORT, "protocol": "UDP"}]
    cluster.serve([far], ports=ports)
    assert ask(cluster.wires.outside, "172.30.0.21", NODE_PORT, udp=True) == f"{far} 172.30.0.21"
    assert ask(cluster.wires.outside, "172.30.0.21", NODE_PORT) == "refused"  # nobody serves the port over TCP


def test_a_service_that_goes_leaves_nothing_behind(cluster: Cluster) -> None:
    cluster.serve()
    for name, rules in cluster.rules.items():
        cluster.wires.nodes[name].aio(rules.apply({}))
    assert ask(cluster.client, CLUSTER_IP) == "refused"
    assert ask(cluster.wires.outside, "172.30.0.21", NODE_PORT) == "refused"
    cluster.restart()
