"""The rules in a real kernel: increments lead to what a full sync writes, a restart takes over, users' rules stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.nft_rules import TABLE, difference
from homeostat.network.decide.node_plan import Entry, NodePlan, Refusal, Way
from homeostat.network.decide.service_ports import Front
from homeostat.network.kernel.nft import NftRules
from homeostat.network.kernel.programs import ProgramError
from tests.support.netns import Space

pytestmark = pytest.mark.real

RANGES = Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), ("172.30.0.21",))
WEB = Front("10.96.0.5", 80)
PODS = tuple(Backend(f"10.244.1.{n}", 8080, "n1" if n % 2 else "n2") for n in range(2, 7))


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    made = Space("rules")
    yield made
    made.close()


def entry(*pods: Backend, way: Way = Way.CLUSTER, affinity_seconds: int = 0) -> Entry:
    return Entry("default/web", "web", way, pods, pods, affinity_seconds)


def apply(space: Space, rules: NftRules, plan: NodePlan) -> None:
    space.aio(rules.apply(plan))


def table(space: Space) -> Any:
    """The whole table, without what is only bookkeeping, in an order of its own."""
    listed = json.loads(space.run("nft", "-j", "list", "table", "ip", TABLE))["nftables"]
    return sorted(json.dumps(_plain(item), sort_keys=True) for item in listed if "metainfo" not in item)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _plain(item) for key, item in value.items() if key not in ("handle", "expires")}
        if isinstance(kept.get("elem"), list):
            kept["elem"] = sorted(kept["elem"], key=json.dumps)
        return kept
    return [_plain(item) for item in value] if isinstance(value, list) else value


POOLS = st.lists(st.sampled_from(PODS), max_size=4, unique=True).map(tuple)
ENTRIES = st.builds(
    Entry,
    service=st.sampled_from(["default/web", "default/api"]),
    port_name=st.just("web"),
    way=st.sampled_from(Way),
    inside=POOLS,
    outside=POOLS,
    affinity_seconds=st.sampled_from([0, 0, 60]),
    refusal=st.sampled_from(Refusal),
    sources=st.sampled_from([(), ("192.0.2.0/24",)]),
)
FRONTS = st.sampled_from([WEB, Front("10.96.0.6", 53, "UDP"), Front("172.30.0.200", 80), Front("", 30080)])
PLANS = st.lists(st.dictionaries(FRONTS, ENTRIES), min_size=1, max_size=4)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=PLANS)
def test_any_steps_lead_to_the_same_table_as_one_full_sync(space: Space, plans: list[NodePlan]) -> None:
    stepwise, afresh = NftRules("n1", RANGES), NftRules("n1", RANGES)
    for plan in plans:
        apply(space, stepwise, plan)
    after_steps = table(space)
    space.run("nft", "delete", "table", "ip", TABLE)
    apply(space, afresh, plans[-1])
    assert after_steps == table(space)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PLANS, after=PLANS)
def test_a_restart_takes_over_whatever_is_there(space: Space, before: list[NodePlan], after: list[NodePlan]) -> None:
    apply(space, NftRules("n1", RANGES), before[0])
    apply(space, NftRules("n1", RANGES), after[0])
    taken_over = table(space)
    space.run("nft", "delete", "table", "ip", TABLE)
    apply(space, NftRules("n1", RANGES), after[0])
    assert taken_over == table(space)


def test_a_restart_keeps_the_clients_of_an_affinity(space: Space) -> None:
    plan = {WEB: entry(PODS[0], affinity_seconds=600)}
    apply(space, NftRules("n1", RANGES), plan)
    name = next(line.split()[1] for line in space.run("nft", "list", "sets", "ip").splitlines() if "affinity-" in line)
    space.run("nft", "add", "element", "ip", TABLE, name, "{ 10.244.1.9 }")
    apply(space, NftRules("n1", RANGES), plan)
    assert "10.244.1.9" in space.run("nft", "list", "set", "ip", TABLE, name)


def test_when_somebody_has_broken_the_table_the_next_sync_makes_it_whole(space: Space) -> None:
    rules = NftRules("n1", RANGES)
    apply(space, rules, {WEB: entry(*PODS[:2])})
    whole = table(space)
    space.run("nft", "delete", "table", "ip", TABLE)
    space.run("nft", "add", "table", "ip", TABLE)
    space.run("nft", "add", "set", "ip", TABLE, "service-ips", "{ type ipv4_addr; }")
    with pytest.raises(ProgramError):
        apply(space, rules, {WEB: entry(*PODS[:3])})
    apply(space, rules, {WEB: entry(*PODS[:2])})
    assert table(space) == whole


def test_rules_of_users_are_never_touched(space: Space) -> None:
    space.run("iptables", "-A", "OUTPUT", "-p", "tcp", "--dport", "443", "-j", "DROP")
    space.run("nft", "-f", "-", text="table inet mine {\n chain c {\n drop\n }\n}\n")
    before = space.run("iptables", "-S"), space.run("nft", "list", "table", "inet", "mine")
    rules = NftRules("n1", RANGES)
    apply(space, rules, {WEB: entry(*PODS)})
    space.aio(rules.remove())
    assert (space.run("iptables", "-S"), space.run("nft", "list", "table", "inet", "mine")) == before


def test_each_of_many_backends_has_its_number(space: Space) -> None:
    many = tuple(Backend(f"10.244.{number // 200}.{number % 200 + 2}", 8080) for number in range(300))
    rules = NftRules("n1", RANGES)
    apply(space, rules, {WEB: entry(*many)})
    found = json.loads(space.run("nft", "-j", "list", "map", "ip", TABLE, "service-endpoints"))["nftables"][1]["map"]
    assert {backend["concat"][0] for _, backend in found["elem"]} == {backend.address for backend in many}
    apply(space, rules, {WEB: entry(*many[7:])})
    found = json.loads(space.run("nft", "-j", "list", "map", "ip", TABLE, "service-endpoints"))["nftables"][1]["map"]
    assert len(found["elem"]) == 293


def test_500_services_are_4_elements_each_and_a_change_of_one_touches_no_other(space: Space) -> None:
    fronts = [Front(f"10.96.{number // 250 + 1}.{number % 250 + 1}", 80) for number in range(500)]
    plan = {front: entry(*PODS[:3]) for front in fronts}
    rules = NftRules("n1", RANGES)
    apply(space, rules, plan)
    listed = json.loads(space.run("nft", "-j", "list", "table", "ip", TABLE))["nftables"]
    sizes = {item["map"]["name"]: len(item["map"].get("elem", ())) for item in listed if "map" in item}
    assert (sizes["service-ips"], sizes["service-endpoints"]) == (500, 1500)
    assert len([item for item in listed if "chain" in item]) < 20
    gone, new = rules._step({**plan, fronts[7]: entry(*PODS[:2])})
    lines = difference(gone, new)
    assert [line.split()[0:2] for line in lines if "element" in line] == [["delete", "element"]] * 2 + [
        ["add", "element"]
    ]
    assert all(address not in "".join(lines) for address in ("10.96.1.7 ", "10.96.1.9 "))
