"""The rules of iptables mode: the text, and what they leave and take over in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.iptables_rules import JUMPS, ours, render
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.node_plan import Entry, Refusal, Way
from homeostat.network.decide.service_ports import Front
from homeostat.network.kernel.iptables import IptablesRules, remove
from tests.support.netns import Space

RANGES = Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), ("172.30.0.21",))
WEB, OUTSIDE = Front("10.96.0.5", 80), Front("", 30080)
PODS = tuple(Backend(f"10.244.1.{number}", 8080, "n1") for number in range(2, 5))


def entry(*pods: Backend, way: Way = Way.CLUSTER, **more: object) -> Entry:
    return Entry("default/web", "web", way, pods, pods, **more)  # type: ignore[arg-type]


def test_each_endpoint_has_its_share_of_chance() -> None:
    rules = next(
        rules for name, rules in render({WEB: entry(*PODS)}, RANGES).nat.items() if name.startswith("KUBE-SVC")
    )
    chances = [rule.split("--probability ")[1].split()[0] for rule in rules if "--probability" in rule]
    assert chances == ["0.3333333333", "0.5000000000"]
    assert len(rules) == 3 and "statistic" not in rules[-1]


def test_names_fit_and_lead_to_chains_that_are_there() -> None:
    affine = entry(*PODS, affinity_seconds=60)
    local = Entry("default/web", "web", Way.LOCAL, PODS, PODS[:1])
    nat = render({WEB: affine, OUTSIDE: local}, RANGES).nat
    assert all(len(name) <= 28 for name in nat)
    targets = {rule.rpartition("-j ")[2].split()[0] for rules in nat.values() for rule in rules}
    assert {target for target in targets if target.startswith("KUBE-")} <= set(nat)


@pytest.mark.parametrize(("refusal", "verdict"), [(Refusal.REJECT, "REJECT"), (Refusal.DROP, "DROP")])
def test_what_nobody_can_take_is_refused(refusal: Refusal, verdict: str) -> None:
    refusals = render({WEB: entry(refusal=refusal)}, RANGES).filter["KUBE-REFUSALS"]
    assert f"-d 10.96.0.5/32 -p tcp -m tcp --dport 80 -j {verdict}" in refusals


def test_chains_that_are_no_longer_wanted_go() -> None:
    text = render({}, RANGES).text({"nat": {"KUBE-SVC-OLD", "KUBE-SERVICES"}, "filter": set()})
    assert ":KUBE-SVC-OLD - [0:0]" in text and "-X KUBE-SVC-OLD" in text and "-X KUBE-SERVICES" not in text


def test_our_chains_are_known_by_their_names() -> None:
    saved = ["*nat", ":PREROUTING ACCEPT [0:0]", ":KUBE-SERVICES - [0:0]", "COMMIT", "*filter", ":KUBE-X - [0:0]"]
    assert ours(saved) == {"nat": {"KUBE-SERVICES"}, "filter": {"KUBE-X"}}


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    made = Space("iptables")
    yield made
    made.close()


def saved(space: Space) -> list[str]:
    lines = space.run("iptables-save").splitlines()
    return sorted(line.partition(" [")[0] for line in lines if not line.startswith("#"))


@pytest.mark.real
def test_a_restart_takes_over_and_an_end_leaves_no_trace_but_users_rules(space: Space) -> None:
    space.run("iptables", "-A", "OUTPUT", "-p", "tcp", "--dport", "443", "-j", "DROP")
    before = saved(space)
    plans = [{WEB: entry(*PODS, affinity_seconds=60), OUTSIDE: entry(*PODS, way=Way.EXTERNAL)}, {WEB: entry(PODS[0])}]
    first = IptablesRules(RANGES)
    space.aio(first.apply(plans[0]))
    space.aio(IptablesRules(RANGES).apply(plans[1]))
    after_restart = saved(space)
    assert len([line for line in after_restart if line.endswith("-j KUBE-SERVICES")]) == 2
    space.aio(remove())
    assert [line for line in saved(space) if "KUBE" in line] == []
    assert set(before) <= set(saved(space))
    space.aio(IptablesRules(RANGES).apply(plans[1]))
    assert saved(space) == after_restart
    assert len(JUMPS) == 6
