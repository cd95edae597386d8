"""The Pod network: what is planned from Nodes, and two nodes that have only that, with Pods by the real CNI plugins.

Rules: "The Kubernetes network model": every Pod reaches every Pod and node without address translation.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from homeostat.network.decide.pod_routes import (
    PodPlan,
    conflist,
    masquerade,
    masquerade_without_nft,
    node_address,
    plan_pods,
    pod_range,
)
from homeostat.network.kernel import iptables, links_and_routes
from tests.support.netns import Space
from tests.support.wires import Server, Wires, ask

PLUGINS = Path("/usr/lib/cni")


def node(name: str, address: str = "", pods: str = "", created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    addresses = [{"type": "Hostname", "address": name}] + (
        [{"type": "InternalIP", "address": address}] if address else []
    )
    spec = {"podCIDR": pods, "podCIDRs": [pods]} if pods else {}
    metadata = {"name": name, "creationTimestamp": created}
    return {"metadata": metadata, "spec": spec, "status": {"addresses": addresses}}


def test_routes_lead_to_every_other_nodes_pods() -> None:
    nodes = [
        node("a", "172.30.0.21", "10.244.1.0/24"),
        node("b", "172.30.0.22", "10.244.2.0/24"),
        node("c", "172.30.0.23", "10.244.3.0/24"),
    ]
    plan = plan_pods(nodes, "a")
    assert plan.own == "10.244.1.0/24"
    assert plan.routes == {"10.244.2.0/24": "172.30.0.22", "10.244.3.0/24": "172.30.0.23"}
    assert plan.nodes == ("172.30.0.21", "172.30.0.22", "172.30.0.23")


def test_nodes_without_a_range_or_an_address_get_no_route() -> None:
    nodes = [node("a"), node("b", "172.30.0.22"), node("c", "", "10.244.3.0/24"), node("d", "172.30.0.24", "nonsense")]
    assert plan_pods(nodes, "a") == PodPlan("", {}, ("172.30.0.22", "172.30.0.24"))


def test_a_range_that_two_nodes_claim_belongs_to_the_older_and_never_to_another_when_it_is_ours() -> None:
    old = node("z", "172.30.0.22", "10.244.2.0/24", "2026-01-01T00:00:00Z")
    new = node("b", "172.30.0.23", "10.244.2.0/24", "2026-01-02T00:00:00Z")
    assert plan_pods([new, old], "a").routes == {"10.244.2.0/24": "172.30.0.22"}
    assert plan_pods([new, old], "b").routes == {}


def test_addresses_and_ranges_of_the_other_family_are_passed_over() -> None:
    both = node("a", "fd00::1")
    both["status"]["addresses"].append({"type": "InternalIP", "address": "172.30.0.21"})
    both["spec"] = {"podCIDR": "fd00:1::/64", "podCIDRs": ["fd00:1::/64", "10.244.1.0/24"]}
    assert (node_address(both), pod_range(both)) == ("172.30.0.21", "10.244.1.0/24")


def test_the_cni_configuration_names_bridge_leases_and_host_ports() -> None:
    read = json.loads(conflist("10.244.1.0/24", 1450))
    bridge, ports = read["plugins"]
    assert (bridge["type"], bridge["mtu"], bridge["hairpinMode"]) == ("bridge", 1450, True)
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert ports["type"] == "portmap" and ports["capabilities"] == {"portMappings": True}


@pytest.mark.real
def test_routes_of_ours_follow_the_plan_and_those_of_others_stay() -> None:
    space = Space("routes")
    try:
        space.ip("link add d0 type bridge", "link set d0 up", "addr add 172.30.0.21/24 dev d0")
        space.ip("route add 198.51.100.0/24 via 172.30.0.99")
        assert (
            space.do(lambda: links_and_routes.route({"10.244.2.0/24": "172.30.0.22", "10.244.3.0/24": "172.30.0.23"}))
            == []
        )
        assert space.do(lambda: links_and_routes.route({"10.244.2.0/24": "172.30.0.24"})) == []
        shown = space.run("ip", "route", "show")
        assert "10.244.2.0/24 via 172.30.0.24" in shown and "10.244.3.0/24" not in shown and "198.51.100.0/24" in shown
        trouble = space.do(lambda: links_and_routes.route({"10.244.9.0/24": "203.0.113.1"}))
        assert len(trouble) == 1 and "10.244.9.0/24 via 203.0.113.1" in trouble[0]
        assert space.do(lambda: links_and_routes.uplink("172.30.0.21")).name == "d0"
        with pytest.raises(links_and_routes.LinkError):
            space.do(lambda: links_and_routes.uplink("172.30.0.22"))
    finally:
        space.close()


def plug(node: Space, pod: Space, config: dict[str, Any]) -> str:
    """Have the first CNI plugin of a configuration join a Pod to its node; the Pod's address."""
    plugin = {"cniVersion": config["cniVersion"], "name": config["name"], **config["plugins"][0]}
    given = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": pod.name,
        "CNI_NETNS": f"/proc/{os.getpid()}/fd/{pod.fd}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(PLUGINS),
    }
    words = [f"{name}={value}" for name, value in given.items()]
    answer = node.run("env", *words, str(PLUGINS / "bridge"), text=json.dumps(plugin))
    return str(json.loads(answer)["ips"][0]["address"]).partition("/")[0]


async def masquerade_by_iptables(plan: PodPlan) -> None:
    await iptables.restore(masquerade_without_nft(plan, "10.244.0.0/16"))
    await iptables.jump("nat", "POSTROUTING", ("-j", "HOMEOSTAT-PODS"))


@pytest.mark.real
@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_pods_by_the_cni_plugins_reach_pods_nodes_and_the_world(tmp_path: Path, mode: str) -> None:
    wires = Wires(bridges=False)
    nodes = [node("a", "172.30.0.21", "10.244.1.0/24"), node("b", "172.30.0.22", "10.244.2.0/24")]
    try:
        pods: dict[str, tuple[Space, str]] = {}
        for name, space in wires.nodes.items():
            plan = plan_pods(nodes, name)
            assert space.do(links_and_routes.forward) == []
            assert space.do(lambda plan=plan: links_and_routes.route(plan.routes)) == []  # type: ignore[misc]
            if mode == "nftables":
                space.run("nft", "-f", "-", text=masquerade(plan, "10.244.0.0/16"))
            else:
                space.aio(masquerade_by_iptables(plan))
            config = json.loads(conflist(plan.own, 1500))
            config["plugins"][0]["ipam"]["dataDir"] = str(tmp_path / name)
            for number in range(2):
                pod = wires.space(f"{name}-{number}")
                pods[pod.name] = (pod, plug(space, pod, config))
                wires.servers.append(Server(pod))
        wires.servers += [Server(wires.outside), Server(wires.nodes["b"])]
        first, own = pods["a-0"]
        for name in ("a-1", "b-0"):
            assert ask(first, pods[name][1], 8080) == f"{name} {own}"
        assert ask(first, "172.30.0.22", 8080) == f"b {own}"
        # The world does not know Pods' addresses: it sees the node's.
        assert ask(first, "172.30.0.9", 8080) == "outside 172.30.0.21"
        assert ask(wires.nodes["b"], own, 8080) == "a-0 172.30.0.22"
        assert pods["a-0"][1] != pods["a-1"][1]
        assert socket.inet_aton(own)[:3] == socket.inet_aton("10.244.1.0")[:3]
    finally:
        wires.close()
