"""How pods affect each other: topology spread, affinity and anti-affinity (PodTopologySpread, InterPodAffinity)."""

from __future__ import annotations

from typing import Any

from homeostat.scheduler.cycle import place
from homeostat.scheduler.podinfo import PodInfo, pod_info
from homeostat.scheduler.snapshot import Snapshot
from tests.support import scheduling
from tests.support.scheduling import info, node, snapshot

WEB = {"labels": {"app": "web"}}
ONLY_A: dict[str, Any] = {"nodeSelector": {"zone": "a"}}


def zones(*names: str, **more: Any) -> Snapshot:
    """One node a zone, named as the zone."""
    return snapshot(*(node(name, labels={"zone": name}, **more) for name in names))


def spread(**more: Any) -> dict[str, Any]:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", **more}
    constraint.setdefault("labelSelector", {"matchLabels": {"app": "web"}})
    return {"topologySpreadConstraints": [constraint], **WEB}


def choices(cluster: Snapshot, pod: PodInfo) -> set[str]:
    return {place(cluster, pod, draw).node for draw in range(8)}


def test_with_fewer_domains_than_wanted_each_may_hold_no_more_than_the_skew() -> None:
    cluster = zones("a", "b")
    for name in ("a", "b"):
        cluster.add_pod(info(f"on-{name}", **WEB), name)
    assert choices(cluster, info("p", **spread(minDomains=2))) == {"a", "b"}
    message = place(cluster, info("p", **spread(minDomains=3)), 0).message
    assert message.startswith("0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.")


def test_nodes_that_the_pod_may_not_use_count_as_domains_only_by_policy() -> None:
    taint = {"key": "dedicated", "effect": "NoSchedule"}
    cluster = snapshot(node("a", labels={"zone": "a"}), node("b", labels={"zone": "b"}, taints=[taint]))
    cluster.add_pod(info("first", **WEB), "a")
    # nodeTaintsPolicy Ignore, the default: the empty zone b holds the skew at its limit.
    assert choices(cluster, info("p", **spread())) == {""}
    assert choices(cluster, info("p", **spread(nodeTaintsPolicy="Honor"))) == {"a"}
    # nodeAffinityPolicy Honor, the default: a zone that the selector excludes does not count.
    cluster = zones("a", "b")
    cluster.add_pod(info("first", **WEB), "a")
    assert choices(cluster, info("p", **spread(), **ONLY_A)) == {"a"}
    assert choices(cluster, info("p", **spread(nodeAffinityPolicy="Ignore"), **ONLY_A)) == {""}


def test_a_pod_that_is_going_does_not_count_for_spreading() -> None:
    cluster = zones("a", "b")
    going = scheduling.pod("going", **WEB)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.add_pod(pod_info(going), "a")
    assert choices(cluster, info("p", **spread(nodeAffinityPolicy="Ignore"), **ONLY_A)) == {"a"}


def test_a_node_without_the_label_is_never_chosen_and_cannot_be_helped() -> None:
    cluster = snapshot(node("a", labels={"zone": "a"}, cpu="1"), node("none"))
    cluster.add_pod(info("low", cpu="1"), "a")
    placement = place(cluster, info("p", cpu="1", **spread()), 0)
    assert "1 node(s) didn't match pod topology spread constraints (missing required label)" in placement.message
    assert placement.message.endswith(
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling."
    )


def test_soft_spreading_prefers_the_emptier_zone_but_goes_elsewhere_when_it_must() -> None:
    cluster = snapshot(*(node(name, labels={"zone": name[0]}) for name in ("a1", "a2", "b1")))
    cluster.add_pod(info("one", **WEB), "a1")
    soft = spread(whenUnsatisfiable="ScheduleAnyway")
    assert choices(cluster, info("p", **soft)) == {"b1"}
    cluster.add_pod(info("full", cpu="4"), "b1")
    assert choices(cluster, info("p", cpu="1", **soft)) <= {"a1", "a2"}


def test_match_label_keys_count_only_pods_of_the_same_revision() -> None:
    cluster = zones("a", "b")
    for name in ("one", "two"):
        cluster.add_pod(info(name, labels={"app": "web", "hash": "old"}), "a")
    new = {"labels": {"app": "web", "hash": "new"}} | ONLY_A
    assert choices(cluster, info("p", **spread(nodeAffinityPolicy="Ignore") | new)) == {""}
    assert choices(cluster, info("p", **spread(nodeAffinityPolicy="Ignore", matchLabelKeys=["hash"]) | new)) == {"a"}


def term(app: str, key: str = "zone", **more: Any) -> dict[str, Any]:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}, **more}


def required(*terms: dict[str, Any], part: str = "podAffinity") -> dict[str, Any]:
    return {"affinity": {part: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}}


def preferred(wanted: dict[str, Any], part: str = "podAffinity", weight: int = 10) -> dict[str, Any]:
    items = [{"weight": weight, "podAffinityTerm": wanted}]
    return {"affinity": {part: {"preferredDuringSchedulingIgnoredDuringExecution": items}}}


def test_several_terms_must_be_met_by_one_and_the_same_pod() -> None:
    cluster = zones("a", "b")
    tier = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"tier": "fast"}}}
    cluster.add_pod(info("cache", labels={"app": "cache"}), "a")
    cluster.add_pod(info("fast", labels={"tier": "fast"}), "a")
    assert choices(cluster, info("p", **required(term("cache"), tier))) == {""}
    cluster.add_pod(info("both", labels={"app": "cache", "tier": "fast"}), "b")
    assert choices(cluster, info("p", **required(term("cache"), tier))) == {"b"}


def test_missing_company_is_nothing_that_preemption_could_help() -> None:
    cluster = zones("a")
    cluster.add_pod(info("low", priority=1), "a")
    placement = place(cluster, info("p", priority=9, **required(term("cache"))), 0)
    assert placement.preemption is None
    assert "1 Preemption is not helpful for scheduling" in placement.message


def test_mismatch_label_keys_keep_other_tenants_away_but_not_ones_own() -> None:
    cluster = zones("a", "b")
    all_pods = {"labelSelector": {"matchExpressions": [{"key": "tenant", "operator": "Exists"}]}, "topologyKey": "zone"}
    alone = required({**all_pods, "mismatchLabelKeys": ["tenant"]}, part="podAntiAffinity")
    cluster.add_pod(info("theirs", labels={"tenant": "red"}), "a")
    cluster.add_pod(info("ours", labels={"tenant": "blue"}), "b")
    assert choices(cluster, info("p", labels={"tenant": "blue"}, **alone)) == {"b"}


def test_pods_that_are_there_attract_and_repel_those_that_come() -> None:
    cluster = zones("a", "b")
    cluster.add_pod(info("fond", **preferred(term("web"))), "b")
    assert choices(cluster, info("p", **WEB)) == {"b"}
    cluster = zones("a", "b")
    cluster.add_pod(info("shy", **preferred(term("web"), part="podAntiAffinity")), "b")
    assert choices(cluster, info("p", **WEB)) == {"a"}
    cluster.remove_pod("default/shy")
    assert not cluster.attracting


def test_terms_mean_the_pods_own_namespace_unless_they_say_more() -> None:
    cluster = zones("a", "b")
    far = scheduling.pod("far", labels={"app": "cache"})
    far["metadata"]["namespace"] = "other"
    cluster.add_pod(pod_info(far), "b")
    assert choices(cluster, info("p", **required(term("cache")))) == {""}
    assert choices(cluster, info("p", **required(term("cache", namespaces=["other"])))) == {"b"}
    assert choices(cluster, info("p", **required(term("cache", namespaceSelector={})))) == {"b"}
    blue = required(term("cache", namespaceSelector={"matchLabels": {"team": "blue"}}))
    assert choices(cluster, info("p", **blue)) == {""}
    assert cluster.set_namespace("other", {"team": "blue"})
    assert choices(cluster, info("p", **blue)) == {"b"}
    assert cluster.set_namespace("other", None)
    assert choices(cluster, info("p", **blue)) == {""}


def test_a_container_without_requests_still_weighs_something() -> None:
    pod = scheduling.pod("p", cpu="500m")
    pod["spec"]["containers"].append({"name": "side", "image": "app"})
    needs = pod_info(pod).needs
    assert (needs.requests, needs.nonzero_cpu) == ({"cpu": 500}, 600)
    assert needs.nonzero_memory == 2 * 200 * 1024 * 1024


def test_overhead_and_init_containers_count_as_the_api_says() -> None:
    def asks(name: str, cpu: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}

    pod = scheduling.pod("p", cpu="500m", overhead={"cpu": "50m"})
    pod["spec"]["initContainers"] = [asks("sidecar", "200m", restartPolicy="Always"), asks("heavy", "900m")]
    # heavy runs beside the sidecar: 1100m, more than the running phase's 700m; the overhead comes on top.
    assert pod_info(pod).needs.requests == {"cpu": 1150}


def test_pods_of_one_template_share_their_needs() -> None:
    first, second = (scheduling.pod(name, cpu="1", labels={"n": name}) for name in ("one", "two"))
    first["spec"]["volumes"], second["spec"]["volumes"] = [{"name": "token-a"}], [{"name": "token-b"}]
    assert pod_info(first).needs is pod_info(second).needs
