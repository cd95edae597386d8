"""One table for each filter: which pod a node takes, and the exact words when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.scheduler.cycle import place
from homeostat.scheduler.podinfo import PodInfo, pod_info
from homeostat.scheduler.snapshot import Snapshot
from tests.support import scheduling
from tests.support.scheduling import info, node, snapshot

FITS = ""
CORDONED = "node(s) were unschedulable"
TAINTED = "node(s) had untolerated taint(s)"
UNMATCHED = "node(s) didn't match Pod's node affinity/selector"
NO_PORTS = "node(s) didn't have free ports for the requested pod ports"
SKEWED = "node(s) didn't match pod topology spread constraints"
UNLABELLED = "node(s) didn't match pod topology spread constraints (missing required label)"
APART = "node(s) didn't match pod anti-affinity rules"
ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"
ALONE = "node(s) didn't match pod affinity rules"
HOST, ZONE = "kubernetes.io/hostname", "zone"


def verdict(cluster: Snapshot, pod: PodInfo) -> str:
    """Why no node takes the pod, without the count of nodes and the part about preemption; empty when one does."""
    placement = place(cluster, pod, 0)
    if placement.node:
        return FITS
    text = placement.message.partition(" preemption: ")[0]
    return text.removeprefix(f"0/{len(cluster.rows)} nodes are available: ").removesuffix(".")


def one_node(pod: PodInfo, **what: Any) -> str:
    said = verdict(snapshot(node("n", **what)), pod)
    return said.removeprefix("1 ")


# NodeUnschedulable


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], CORDONED),
        ([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}], FITS),
        ([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}], FITS),
        ([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoExecute"}], CORDONED),
        ([{"operator": "Exists"}], FITS),
    ],
)
def test_a_cordoned_node_takes_only_pods_that_tolerate_that(tolerations: list[Any], expected: str) -> None:
    assert one_node(info("p", tolerations=tolerations), unschedulable=True) == expected


# TaintToleration

SSD = {"key": "disk", "value": "ssd"}


@pytest.mark.parametrize(
    ("effect", "toleration", "expected"),
    [
        ("NoSchedule", None, TAINTED),
        ("NoExecute", None, TAINTED),
        ("PreferNoSchedule", None, FITS),
        ("NoSchedule", {"key": "disk", "operator": "Equal", "value": "ssd"}, FITS),
        ("NoSchedule", {"key": "disk", "value": "ssd"}, FITS),
        ("NoSchedule", {"key": "disk", "value": "hdd"}, TAINTED),
        ("NoSchedule", {"key": "disk", "value": ""}, TAINTED),
        ("NoSchedule", {"key": "disk", "operator": "Exists"}, FITS),
        ("NoSchedule", {"key": "disk", "operator": "Exists", "effect": "NoExecute"}, TAINTED),
        ("NoExecute", {"key": "disk", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}, FITS),
        ("NoSchedule", {"key": "other", "operator": "Exists"}, TAINTED),
        ("NoSchedule", {"operator": "Exists"}, FITS),
    ],
)
def test_a_taint_keeps_out_whoever_does_not_tolerate_it(effect: str, toleration: Any, expected: str) -> None:
    pod = info("p", tolerations=[toleration] if toleration else [])
    assert one_node(pod, taints=[{**SSD, "effect": effect}]) == expected


def test_the_message_does_not_give_taints_away_and_counts_nodes_with_different_ones_together() -> None:
    """Since v1.34 a Pod's status names neither keys nor values of taints (kubernetes/kubernetes#134740)."""
    cluster = snapshot(*(node(key, taints=[{"key": key, "effect": "NoSchedule"}]) for key in ("red", "green", "blue")))
    assert verdict(cluster, info("p")) == f"3 {TAINTED}"


def test_every_taint_must_be_tolerated() -> None:
    taints = [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "NoExecute"}]
    assert one_node(info("p", tolerations=[{"key": "a", "operator": "Exists"}]), taints=taints) == TAINTED
    both = [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]
    assert one_node(info("p", tolerations=both), taints=taints) == FITS


# NodeAffinity


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    needed = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": needed}}


def says(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def labelled(*expressions: dict[str, Any]) -> dict[str, Any]:
    return {"matchExpressions": list(expressions)}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param({"nodeSelector": {"disk": "ssd"}}, FITS, id="selector"),
        pytest.param({"nodeSelector": {"disk": "hdd"}}, UNMATCHED, id="selector-other-value"),
        pytest.param({"nodeSelector": {"disk": "ssd", "gpu": "yes"}}, UNMATCHED, id="selector-half"),
        pytest.param({"nodeSelector": {"empty": ""}}, FITS, id="selector-empty-value"),
        pytest.param({"nodeSelector": {"missing": ""}}, UNMATCHED, id="selector-missing-is-not-empty"),
        pytest.param(required(labelled(says("disk", "In", "hdd", "ssd"))), FITS, id="in"),
        pytest.param(required(labelled(says("missing", "NotIn", "x"))), FITS, id="notin-missing"),
        pytest.param(required(labelled(says("disk", "NotIn", "ssd"))), UNMATCHED, id="notin"),
        pytest.param(required(labelled(says("disk", "DoesNotExist"))), UNMATCHED, id="doesnotexist"),
        pytest.param(required(labelled(says("cores", "Gt", "7"))), FITS, id="gt"),
        pytest.param(required(labelled(says("cores", "Gt", "8"))), UNMATCHED, id="gt-equal"),
        pytest.param(required(labelled(says("cores", "Lt", "8"))), UNMATCHED, id="lt-equal"),
        pytest.param(required(labelled(says("disk", "Gt", "1"))), UNMATCHED, id="gt-of-a-word"),
        pytest.param(required(labelled(says("disk", "Lt", "1"))), UNMATCHED, id="lt-of-a-word"),
        pytest.param(
            required(labelled(says("disk", "In", "ssd"), says("cores", "In", "4"))), UNMATCHED, id="all-of-a-term"
        ),
        pytest.param(
            required(labelled(says("disk", "In", "hdd")), labelled(says("cores", "In", "8"))), FITS, id="any-term"
        ),
        pytest.param(required({}), UNMATCHED, id="an-empty-term-means-no-node"),
        pytest.param(required({}, labelled(says("disk", "Exists"))), FITS, id="beside-an-empty-term"),
        pytest.param(required({"matchFields": [says("metadata.name", "In", "n")]}), FITS, id="by-name"),
        pytest.param(required({"matchFields": [says("metadata.name", "NotIn", "n")]}), UNMATCHED, id="not-by-name"),
        pytest.param(
            {"nodeSelector": {"disk": "hdd"}, **required(labelled(says("disk", "In", "ssd")))},
            UNMATCHED,
            id="selector-and-affinity-both",
        ),
    ],
)
def test_labels_decide_where_a_pod_may_run(what: dict[str, Any], expected: str) -> None:
    assert one_node(info("p", **what), labels={"disk": "ssd", "cores": "8", "empty": ""}) == expected


# NodePorts


def port(number: int, protocol: str = "TCP", address: str = "") -> list[dict[str, Any]]:
    bound = {"hostIP": address} if address else {}
    return [{"containerPort": number, "hostPort": number, "protocol": protocol, **bound}]


@pytest.mark.parametrize(
    ("taken", "wanted", "expected"),
    [
        (port(80), port(80), NO_PORTS),
        (port(80), port(81), FITS),
        (port(80), port(80, "UDP"), FITS),
        (port(80, address="10.0.0.1"), port(80, address="10.0.0.2"), FITS),
        (port(80, address="10.0.0.1"), port(80, address="10.0.0.1"), NO_PORTS),
        (port(80, address="10.0.0.1"), port(80), NO_PORTS),
        (port(80, address="0.0.0.0"), port(80, address="10.0.0.1"), NO_PORTS),
        (port(80), [{"containerPort": 80}], FITS),
    ],
)
def test_a_port_of_the_host_has_one_user(taken: list[Any], wanted: list[Any], expected: str) -> None:
    cluster = snapshot(node("n"))
    cluster.add_pod(info("first", ports=taken), "n")
    assert verdict(cluster, info("second", ports=wanted)).removeprefix("1 ") == expected


def test_a_sidecars_host_port_counts_and_an_init_containers_does_not() -> None:
    def with_init(name: str, **more: Any) -> PodInfo:
        made = scheduling.pod(name)
        made["spec"]["initContainers"] = [{"name": "i", "image": "i", "ports": port(80), **more}]
        return pod_info(made)

    for restart, expected in (({"restartPolicy": "Always"}, NO_PORTS), ({}, FITS)):
        cluster = snapshot(node("n"))
        cluster.add_pod(with_init("first", **restart), "n")
        assert verdict(cluster, info("second", ports=port(80))).removeprefix("1 ") == expected


# NodeResourcesFit


def asking(**requests: str) -> PodInfo:
    made = scheduling.pod("p")
    renamed = {name.replace("_", "-"): amount for name, amount in requests.items()}
    made["spec"]["containers"][0]["resources"] = {"requests": renamed}
    return pod_info(made)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (asking(cpu="4", memory="8Gi"), FITS),
        (asking(cpu="4001m"), "1 Insufficient cpu"),
        (asking(memory="8193Mi"), "1 Insufficient memory"),
        (asking(cpu="5", memory="9Gi"), "1 Insufficient cpu, 1 Insufficient memory"),
        (asking(ephemeral_storage="1Gi"), "1 Insufficient ephemeral-storage"),
        (asking(gpu="1"), "1 Insufficient gpu"),
        (asking(gpu="0"), FITS),
    ],
)
def test_a_node_names_everything_that_it_lacks(pod: PodInfo, expected: str) -> None:
    assert verdict(snapshot(node("n")), pod) == expected


def test_too_many_pods_and_lack_of_cpu_are_both_reported_of_one_node() -> None:
    cluster = snapshot(node("n", cpu="1", pods="1"))
    cluster.add_pod(info("first", cpu="1"), "n")
    assert verdict(cluster, info("second", cpu="1")) == "1 Insufficient cpu, 1 Too many pods"


# PodTopologySpread


def spread(skew: int = 1, key: str = ZONE, app: str = "web", **more: Any) -> dict[str, Any]:
    selector = {"labelSelector": {"matchLabels": {"app": app}}}
    return {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", **selector, **more}


def web(*constraints: dict[str, Any], **what: Any) -> PodInfo:
    labels = what.pop("labels", {"app": "web"})
    return info("p", labels=labels, topologySpreadConstraints=list(constraints), **what)


def zones(**pods: int) -> Snapshot:
    """One node for each zone, named like it, with so many pods of `web`."""
    cluster = snapshot(*(node(name, labels={ZONE: name}) for name in pods))
    for name, count in pods.items():
        for number in range(count):
            cluster.add_pod(info(f"{name}-{number}", labels={"app": "web"}), name)
    return cluster


def allowed(cluster: Snapshot, pod: PodInfo) -> str:
    """The nodes that the filters let through, found by closing one after the other."""
    found = []
    while name := place(cluster, pod, 0).node:
        found.append(name)
        cluster.set_node({**cluster.nodes[cluster.rows[name]], "spec": {"unschedulable": True}})
    return "".join(sorted(found))


@pytest.mark.parametrize(
    ("pods", "skew", "expected"),
    [
        ({"a": 0, "b": 0}, 1, "ab"),
        ({"a": 1, "b": 0}, 1, "b"),
        ({"a": 1, "b": 0}, 2, "ab"),
        ({"a": 2, "b": 0}, 2, "b"),
        ({"a": 3, "b": 1, "c": 2}, 1, "b"),
        ({"a": 3, "b": 1, "c": 2}, 2, "bc"),
        ({"a": 3, "b": 1, "c": 2}, 3, "abc"),
        ({"a": 5}, 1, "a"),
    ],
)
def test_the_skew_is_over_the_emptiest_domain(pods: dict[str, int], skew: int, expected: str) -> None:
    assert allowed(zones(**pods), web(spread(skew))) == expected


def test_a_pod_that_its_own_selector_does_not_mean_adds_nothing_to_the_skew() -> None:
    assert allowed(zones(a=1, b=0), web(spread(1), labels={"app": "other"})) == "ab"
    assert allowed(zones(a=2, b=0), web(spread(1), labels={"app": "other"})) == "b"


@pytest.mark.parametrize(
    ("minimum", "expected"), [(None, "ab"), (2, "ab"), (3, ""), (9, "")], ids=["default", "met", "missing one", "many"]
)
def test_min_domains_hold_the_minimum_at_zero_until_there_are_enough(minimum: int | None, expected: str) -> None:
    more = {} if minimum is None else {"minDomains": minimum}
    assert allowed(zones(a=1, b=1), web(spread(1, **more))) == expected


def test_every_constraint_must_hold() -> None:
    cluster = zones(a=1, b=0)
    cluster.add_pod(info("other", labels={"tier": "x"}), "b")
    tier = {"labelSelector": {"matchLabels": {"tier": "x"}}}
    both = {"app": "web", "tier": "x"}
    assert allowed(cluster, web(spread(1), {**spread(1, HOST), **tier}, labels=both)) == ""


def test_a_node_that_fails_two_constraints_is_counted_once() -> None:
    """PodTopologySpread stops at the first constraint that a node fails."""
    cluster = zones(a=2, b=0)
    cluster.set_node(node("b", labels={ZONE: "b"}, cpu="0"))
    said = verdict(cluster, web(spread(1), spread(1, HOST), cpu="1"))
    assert said == f"1 Insufficient cpu, 1 {SKEWED}"


@pytest.mark.parametrize(
    ("order", "expected"),
    [((ZONE, "rack"), UNLABELLED), (("rack", ZONE), UNLABELLED)],
    ids=["label missing for the second", "label missing for the first"],
)
def test_a_node_without_the_label_says_so(order: tuple[str, str], expected: str) -> None:
    cluster = snapshot(node("n", labels={ZONE: "a"}))
    assert verdict(cluster, web(*(spread(1, key) for key in order))) == f"1 {expected}"


def test_soft_constraints_keep_nobody_out() -> None:
    assert allowed(zones(a=9, b=0), web(spread(1, whenUnsatisfiable="ScheduleAnyway"))) == "ab"


def test_pods_of_other_namespaces_do_not_count() -> None:
    cluster = zones(a=0, b=0)
    for number in range(3):
        far = scheduling.pod(f"far{number}", labels={"app": "web"})
        far["metadata"]["namespace"] = "elsewhere"
        cluster.add_pod(pod_info(far), "a")
    assert allowed(cluster, web(spread(1))) == "ab"


# InterPodAffinity


def term(app: str, key: str = HOST) -> dict[str, Any]:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


def near(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def away(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


@pytest.mark.parametrize(
    ("present", "affinity", "expected"),
    [
        pytest.param({}, near(term("db")), ALONE, id="company-missing"),
        pytest.param({"labels": {"app": "db"}}, near(term("db")), FITS, id="company-there"),
        pytest.param({"labels": {"app": "db"}}, near(term("db"), term("cache")), ALONE, id="half-of-the-company"),
        pytest.param({"labels": {"app": "db"}}, away(term("db")), APART, id="apart"),
        pytest.param({"labels": {"app": "db"}}, away(term("cache")), FITS, id="apart-from-others"),
        pytest.param({"affinity": away(term("web"))}, {}, ANTI_AFFINITY, id="the-other-wants-to-be-alone"),
        pytest.param({"affinity": away(term("db"))}, {}, FITS, id="the-other-minds-others"),
        pytest.param(
            {"labels": {"app": "db"}, "affinity": away(term("web"))}, near(term("db")), ANTI_AFFINITY, id="unloved"
        ),
        pytest.param({"labels": {"app": "db"}}, {**near(term("no")), **away(term("db"))}, ALONE, id="affinity-first"),
    ],
)
def test_pod_affinity_decides(present: dict[str, Any], affinity: dict[str, Any], expected: str) -> None:
    cluster = snapshot(node("n"))
    cluster.add_pod(info("there", **present), "n")
    said = verdict(cluster, info("p", labels={"app": "web"}, affinity=affinity))
    assert said.removeprefix("1 ") == expected


def test_anti_affinity_is_reported_once_for_a_node() -> None:
    """The pod's own rule is looked at before that of the pods that are there; one reason a node."""
    cluster = snapshot(node("n"))
    alone = {"labels": {"app": "web"}, "affinity": away(term("web"))}
    cluster.add_pod(info("first", **alone), "n")
    assert verdict(cluster, info("second", **alone)) == f"1 {APART}"


def test_two_anti_affinity_terms_that_hit_one_node_are_one_reason() -> None:
    cluster = snapshot(node("n"))
    cluster.add_pod(info("db", labels={"app": "db"}), "n")
    cluster.add_pod(info("cache", labels={"app": "cache"}), "n")
    assert verdict(cluster, info("p", affinity=away(term("db"), term("cache")))) == f"1 {APART}"


def test_the_first_of_a_group_needs_the_topology_of_every_term() -> None:
    together = {"labels": {"app": "web"}, "affinity": near(term("web", HOST), term("web", "rack"))}
    assert verdict(snapshot(node("n")), info("p", **together)) == f"1 {ALONE}"
    assert verdict(snapshot(node("n", labels={"rack": "r1"})), info("p", **together)) == FITS


# All of them together


def test_each_node_is_counted_at_the_first_filter_that_it_fails() -> None:
    """Order: unschedulable, taints, node affinity, ports, resources, spreading, company."""
    bad = {"taints": [{"key": "x", "effect": "NoSchedule"}], "cpu": "0", "pods": "0"}
    zone = {ZONE: "z"}
    cluster = snapshot(
        node("1-cordoned", unschedulable=True, **bad),
        node("2-tainted", **bad),
        node("3-unmatched", cpu="0", labels={"skip": "yes"}),
        node("4-ports"),
        node("5-small", cpu="1"),
        node("6-unlabelled"),
        node("7-crowd", labels=zone),
    )
    cluster.add_pod(info("server", ports=port(80)), "4-ports")
    cluster.add_pod(info("db", labels={"app": "db"}), "7-crowd")
    wanted = {
        **required(labelled(says("skip", "DoesNotExist"))),
        "topologySpreadConstraints": [spread()],
        "ports": port(80),
        "cpu": "2",
    }
    wanted["affinity"] |= away(term("db"))
    assert verdict(cluster, info("p", labels={"app": "web"}, **wanted)) == ", ".join(
        sorted(
            f"1 {reason}" for reason in (CORDONED, TAINTED, UNMATCHED, NO_PORTS, "Insufficient cpu", UNLABELLED, APART)
        )
    )


def test_reasons_are_sorted_as_text_count_first() -> None:
    cluster = snapshot(
        *(node(f"s{i}", cpu="1") for i in range(10)), node("c1", unschedulable=True), node("c2", cpu="1")
    )
    assert verdict(cluster, info("p", cpu="2")) == f"1 {CORDONED}, 11 Insufficient cpu"
