"""The text of nftables rules: which chains, sets and elements an entry becomes, and in which order they are written."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.nft_base import CONTAINERS, Found, Ranges, begin, leftovers
from homeostat.network.decide.nft_rules import Chain, Clients, Element, Item, difference, items
from homeostat.network.decide.node_plan import Entry, Refusal, Way
from homeostat.network.decide.service_ports import Front

WEB, NODE_PORT = Front("10.96.0.5", 80), Front("", 30080)
NEAR, FAR = Backend("10.244.1.2", 8080, "n1"), Backend("10.244.2.2", 8080, "n2")


def entry(*pods: Backend, way: Way = Way.CLUSTER, outside: tuple[Backend, ...] | None = None, **more: Any) -> Entry:
    return Entry("default/web", "web", way, pods, pods if outside is None else outside, **more)


def made(front: Front, what: Entry) -> dict[str, dict[str, str]]:
    """The elements, by container."""
    found: dict[str, dict[str, str]] = {}
    for item in items(front, what, "n1"):
        if isinstance(item, Element):
            found.setdefault(item.container, {})[item.key] = item.value
    return found


def chain(front: Front, what: Entry, prefix: str) -> tuple[str, ...]:
    (found,) = [i.rules for i in items(front, what, "n1") if isinstance(i, Chain) and i.name.startswith(prefix)]
    return found


def test_a_service_is_one_verdict_and_an_element_for_each_endpoint() -> None:
    assert made(WEB, entry(NEAR, FAR)) == {
        "service-ips": {"10.96.0.5 . tcp . 80": "goto cluster-service-2"},
        "service-endpoints": {
            "10.96.0.5 . tcp . 80 . 0:0": "10.244.1.2 . 8080",
            "10.96.0.5 . tcp . 80 . 0:1": "10.244.2.2 . 8080",
        },
        # Only a Pod of this node can meet itself here.
        "hairpin-connections": {"10.244.1.2 . 10.244.1.2": ""},
    }


def test_services_with_as_many_endpoints_share_their_chains() -> None:
    def chains(front: Front) -> set[Item]:
        return {item for item in items(front, entry(NEAR, FAR), "n1") if isinstance(item, Chain)}

    assert chains(WEB) == chains(Front("10.96.0.6", 443)) == chains(Front("10.96.0.6", 53, "UDP"))


def test_a_draw_that_has_just_gone_falls_back_to_the_first_backend() -> None:
    look = "meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport . meta priority map"
    assert chain(WEB, entry(NEAR, FAR), "service-2") == (
        "meta priority set numgen random mod 2",
        f"{look} @service-endpoints",
        "meta priority set 0:0",
        f"{look} @service-endpoints",
        "drop",
    )
    assert chain(WEB, entry(NEAR), "service-1")[0] == "meta priority set 0:0"


def test_node_ports_are_looked_up_without_an_address() -> None:
    found = made(NODE_PORT, entry(FAR, way=Way.EXTERNAL))
    assert found["service-nodeports"] == {"tcp . 30080": "goto external-nodeport-1"}
    assert found["nodeport-endpoints"] == {"tcp . 30080 . 0:0": "10.244.2.2 . 8080"}


@pytest.mark.parametrize(
    ("way", "rules"),
    [
        (Way.CLUSTER, ("ip saddr != @pod-ranges meta mark set meta mark or 0x4000", "goto service-1")),
        (Way.EXTERNAL, ("meta mark set meta mark or 0x4000", "goto service-1")),
    ],
)
def test_who_is_masqueraded_depends_on_the_way_in(way: Way, rules: tuple[str, ...]) -> None:
    assert chain(WEB, entry(FAR, way=way), way.value) == rules


def test_under_policy_local_only_clients_of_the_cluster_leave_the_node() -> None:
    local = entry(NEAR, FAR, way=Way.LOCAL, outside=(NEAR,))
    assert chain(NODE_PORT, local, "local-") == (
        "ip saddr @pod-ranges goto nodeport-2",
        "fib saddr type local meta mark set meta mark or 0x4000",
        "fib saddr type local goto nodeport-2",
        "goto nodeport-local-1",
    )
    found = made(NODE_PORT, local)
    assert found["nodeport-local-endpoints"] == {"tcp . 30080 . 0:0": "10.244.1.2 . 8080"}
    assert "no-endpoint-nodeports" not in found


@pytest.mark.parametrize(("refusal", "verdict"), [(Refusal.REJECT, "goto refuse"), (Refusal.DROP, "drop")])
@pytest.mark.parametrize(
    ("front", "container", "key"),
    [(WEB, "no-endpoint-services", "10.96.0.5 . tcp . 80"), (NODE_PORT, "no-endpoint-nodeports", "tcp . 30080")],
)
def test_what_nobody_can_take_is_refused(
    front: Front, container: str, key: str, refusal: Refusal, verdict: str
) -> None:
    assert made(front, entry(refusal=refusal)) == {container: {key: verdict}}


def test_outside_clients_of_a_node_without_endpoints_are_dropped_and_inside_ones_served() -> None:
    found = made(NODE_PORT, entry(FAR, way=Way.LOCAL, outside=(), refusal=Refusal.DROP))
    assert found["no-endpoint-nodeports"] == {"tcp . 30080": "drop"}
    assert "tcp . 30080" in found["service-nodeports"]


def test_source_ranges_guard_before_the_destination_changes() -> None:
    guarded = entry(NEAR, way=Way.EXTERNAL, sources=("192.0.2.0/24", "198.51.100.0/24"))
    (verdict,) = made(WEB, guarded)["firewall-ips"].values()
    assert chain(WEB, guarded, "guard-") == ("ip saddr { 192.0.2.0/24, 198.51.100.0/24 } return", "drop")
    assert verdict.startswith("goto guard-")
    assert "firewall-ips" not in made(NODE_PORT, guarded)


def test_affinity_remembers_clients_for_each_endpoint_and_looks_there_first() -> None:
    found = items(WEB, entry(NEAR, FAR, affinity_seconds=60), "n1")
    clients = [item for item in found if isinstance(item, Clients)]
    assert [item.seconds for item in clients] == [60, 60]
    rules = next(item.rules for item in found if isinstance(item, Chain) and item.name.startswith("affine-"))
    assert [rule.split()[2] for rule in rules[:2]] == [f"@{item.name}" for item in clients]
    assert rules[2].startswith("numgen random mod 2 vmap")
    # The same endpoint of the same port is one set, whichever front it was reached by.
    outer = items(NODE_PORT, entry(NEAR, way=Way.EXTERNAL, affinity_seconds=60), "n1")
    assert {item for item in outer if isinstance(item, Clients)} == {clients[0]}


def verbs(lines: list[str]) -> list[str]:
    return [" ".join(line.split()[:2]) for line in lines]


def test_new_chains_are_added_before_any_rule_jumps_to_them() -> None:
    lines = verbs(difference((), items(WEB, entry(NEAR, affinity_seconds=60), "n1")))
    assert lines.index("add set") < lines.index("add chain") < lines.index("add rule") < lines.index("add element")


def test_old_chains_go_when_nothing_leads_to_them_any_more() -> None:
    lines = verbs(difference(items(WEB, entry(NEAR, affinity_seconds=60), "n1"), ()))
    assert lines.index("flush chain") < lines.index("delete element") < lines.index("delete chain")
    assert lines.index("delete chain") < lines.index("delete set")


def test_an_element_that_changes_is_taken_away_and_added_in_one_transaction() -> None:
    old, new = Element("service-ips", "k", "goto a"), Element("service-ips", "k", "goto b")
    assert difference([old], [new]) == [
        "delete element ip kube-proxy service-ips { k }",
        "add element ip kube-proxy service-ips { k : goto b }",
    ]


RANGES = Ranges(("10.244.0.0/16",), (), ("172.30.0.21", "172.30.0.31"))


def test_a_beginning_empties_all_maps_and_base_chains_and_no_set_of_clients() -> None:
    lines = begin(RANGES)
    assert lines[0] == "add table ip kube-proxy"
    emptied = {line.split()[4] for line in lines if line.startswith(("flush map", "flush set"))}
    assert set(CONTAINERS) <= emptied
    assert not any("affinity" in line or line.startswith("delete") for line in lines)
    assert "add element ip kube-proxy node-addresses { 172.30.0.21, 172.30.0.31 }" in lines
    assert not any(line.startswith("add element ip kube-proxy service-ranges") for line in lines)


def test_leftovers_are_what_is_neither_wanted_nor_part_of_the_base() -> None:
    found = Found(
        frozenset({"services", "service-3", "affine-old"}), frozenset({"pod-ranges", "affinity-x", "affinity-y"})
    )
    first, last = leftovers(found, {"service-3"}, {"affinity-x"})
    assert first == ["flush chain ip kube-proxy affine-old"]
    assert last == ["delete chain ip kube-proxy affine-old", "delete set ip kube-proxy affinity-y"]
