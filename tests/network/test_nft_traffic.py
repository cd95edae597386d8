"""Real traffic through real rules: two nodes, Pods and an outside host in network namespaces.

Rules: "Virtual IPs and Service Proxies" of the Kubernetes documentation, pkg/proxy/nftables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from homeostat.network.nft import NftRules
from homeostat.network.plan import Front
from homeostat.network.plan_nft_base import Ranges
from homeostat.network.plan_node import Entry, Here, plan_node
from tests.support.wires import Wires, ask, ask_often

pytestmark = pytest.mark.real

NODE_ADDRESSES = {"a": "172.30.0.21", "b": "172.30.0.22"}
CLUSTER_IP, NODE_PORT = "10.96.0.5", 30080


class Cluster:
    """The wires, and one Service on both nodes."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.rules = {
            name: NftRules(name, Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), (address,)))
            for name, address in NODE_ADDRESSES.items()
        }
        self.pods: dict[str, str] = {}
        self.client = wires.pod("a", port=0)[0]
        for node in ("a", "b", "b"):
            self.pods[wires.pod(node)[1]] = node

    def serve(self, addresses: list[str] | None = None, **spec: Any) -> None:
        """Have both nodes serve the Service over Pods with these addresses (None: all)."""
        for name, rules in self.rules.items():
            self.wires.nodes[name].aio(rules.apply(self.plan(name, addresses, **spec)))

    def plan(self, node: str, addresses: list[str] | None = None, **spec: Any) -> dict[Front, Entry]:
        """The Service's entries on a node."""
        chosen = list(self.pods) if addresses is None else addresses
        return plan_node(service(**spec), [piece({a: self.pods[a] for a in chosen})], Here(node))


def service(**spec: Any) -> dict[str, Any]:
    protocol = spec.pop("protocol", "TCP")
    ports = [{"name": "web", "port": 80, "nodePort": NODE_PORT, "protocol": protocol}]
    base = {"type": "NodePort", "clusterIP": CLUSTER_IP, "clusterIPs": [CLUSTER_IP], "ports": ports}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {**base, **spec}}


def piece(pods: dict[str, str]) -> dict[str, Any]:
    endpoints = [
        {"addresses": [address], "conditions": {"ready": True}, "nodeName": node} for address, node in pods.items()
    ]
    ports = [{"name": "web", "port": 8080, "protocol": protocol} for protocol in ("TCP", "UDP")]
    return {"metadata": {"name": "web-x"}, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    wires = Wires()
    yield Cluster(wires)
    wires.close()


def test_a_cluster_address_spreads_connections_over_all_ready_endpoints(cluster: Cluster) -> None:
    cluster.serve()
    seen = ask_often(cluster.client, 90, CLUSTER_IP)
    assert set(seen) == set(cluster.pods)
    assert min(seen.values()) > 10  # of 30 expected: less has a chance of one in 100,000


def test_pods_see_the_true_source_of_a_pod_and_the_nodes_address_for_others(cluster: Cluster) -> None:
    cluster.serve()
    far = next(address for address, node in cluster.pods.items() if node == "b")
    cluster.serve([far])
    assert ask(cluster.client, CLUSTER_IP) == f"{far} 10.244.1.2"
    assert ask(cluster.wires.nodes["a"], CLUSTER_IP) == f"{far} 172.30.0.21"


def test_a_node_port_answers_on_every_node_also_without_a_local_endpoint(cluster: Cluster) -> None:
    near = next(address for address, node in cluster.pods.items() if node == "a")
    cluster.serve([near])
    for address in NODE_ADDRESSES.values():
        answer = ask(cluster.wires.outside, address, NODE_PORT)
        assert answer.split()[0] == near
    # externalTrafficPolicy Cluster: the answer must come back the way it went, so the node's address is the source.
    assert ask(cluster.wires.outside, "172.30.0.22", NODE_PORT) == f"{near} 172.30.0.22"


def test_policy_local_keeps_the_clients_address_and_stays_on_the_node(cluster: Cluster) -> None:
    cluster.serve(externalTrafficPolicy="Local")
    near = next(address for address, node in cluster.pods.items() if node == "a")
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
    near = next(address for address, node in cluster.pods.items() if node == "a")
    cluster.serve([near])
    own = next(space for space in cluster.wires.spaces if space.name == near)
    assert ask(own, CLUSTER_IP).split()[0] == near
