"""Rules of several loops in tables: endpoints, zones and their rates, tolerations, deletion policies, namespaces."""

import itertools

import pytest

from homeostat.api import meta
from homeostat.api.kinds import CONFIGMAP, ENDPOINTS, ENDPOINTSLICE, NAMESPACE, NODE, POD, REPLICASET, SERVICE
from homeostat.api.rules import ownership
from homeostat.controllers.nodes import tainteviction
from homeostat.controllers.nodes.node_health import (
    FULL,
    NORMAL,
    PARTIAL,
    Observed,
    Options,
    by_zone,
    eviction_rate,
    zone_of,
    zone_states,
)
from homeostat.controllers.ownership import garbagecollector, namespace
from homeostat.controllers.services import endpoints, endpointslice
from homeostat.loop.snapshot import Snapshot
from tests.support.controlling import NOW, Bench, node, obj, owner, pod, replica_set, run, service

GOING = {"deletionTimestamp": "2027-01-01T00:00:00Z"}


# EndpointSlices (k8s.io/endpointslice)


def serving(*objects, limit=100):
    world = Bench([endpointslice.loop(endpoints_per_slice_max=limit), endpoints.loop()], [node("n1"), *objects])
    world.settle()
    return world


def endpoint_of(*, ready=True, going=False, **service_spec):
    labels = {"labels": {"app": "web"}}
    made = run(pod("a", node="n1", metadata=labels | (GOING if going else {})), NOW, ready=ready, address="10.1.0.1")
    world = serving(service(**service_spec), made)
    (item,) = world.all(ENDPOINTSLICE)
    return item["endpoints"][0]["conditions"], world.need(ENDPOINTS, "web")["subsets"]


@pytest.mark.parametrize(
    ("ready", "going", "publish", "conditions"),
    [
        (True, False, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, False, (False, True, True)),
        (False, True, False, (False, False, True)),
        (True, False, True, (True, True, False)),
        (False, False, True, (True, False, False)),
        (True, True, True, (True, True, True)),
        (False, True, True, (True, False, True)),
    ],
)
def test_the_three_conditions_of_an_endpoint(ready, going, publish, conditions):
    found, _ = endpoint_of(ready=ready, going=going, publishNotReadyAddresses=publish)
    assert (found["ready"], found["serving"], found["terminating"]) == conditions


@pytest.mark.parametrize(
    ("ready", "going", "publish", "where"),
    [
        (True, False, False, "addresses"),
        (False, False, False, "notReadyAddresses"),
        (True, True, False, None),
        (False, True, False, None),
        (False, False, True, "addresses"),
        (True, True, True, "addresses"),
    ],
)
def test_where_the_older_object_lists_a_pod(ready, going, publish, where):
    _, subsets = endpoint_of(ready=ready, going=going, publishNotReadyAddresses=publish)
    assert [name for subset in subsets for name in subset if name != "ports"] == ([where] if where else [])


PORTS = [{"name": "web", "containerPort": 8080}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 80, "targetPort": 8080}, ("TCP", 8080)),
        ({"port": 80}, ("TCP", 80)),
        ({"port": 80, "targetPort": 0}, ("TCP", 80)),
        ({"port": 80, "targetPort": "web"}, ("TCP", 8080)),
        ({"port": 53, "targetPort": "dns", "protocol": "UDP"}, ("UDP", 53)),
        ({"port": 53, "targetPort": "dns"}, None),
        ({"port": 80, "targetPort": "none"}, None),
        ({"port": 80, "targetPort": "side"}, ("TCP", 9000)),
    ],
)
def test_which_port_of_a_pod_a_service_means(port, expected):
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 9000}]}
    once = {"name": "i", "ports": [{"name": "none", "containerPort": 1}]}
    spec = {"containers": [{"name": "main", "ports": PORTS}], "initContainers": [once, sidecar]}
    world = serving(service(ports=[port]), run(pod("a", node="n1", spec=spec), NOW, address="10.1.0.1"))
    (item,) = world.all(ENDPOINTSLICE)
    assert [(p["protocol"], p["port"]) for p in item["ports"]] == ([expected] if expected else [])
    assert bool(world.need(ENDPOINTS, "web")["subsets"]) is bool(expected)


@pytest.mark.parametrize(
    ("families", "ips", "expected"),
    [
        (["IPv4"], ["10.1.0.1"], {"IPv4": ["10.1.0.1"]}),
        (["IPv4"], ["10.1.0.1", "fd00::1"], {"IPv4": ["10.1.0.1"]}),
        (["IPv6"], ["10.1.0.1", "fd00::1"], {"IPv6": ["fd00::1"]}),
        (["IPv6"], ["10.1.0.1"], {"IPv6": []}),
        (["IPv6", "IPv4"], ["10.1.0.1", "fd00::1"], {"IPv4": ["10.1.0.1"], "IPv6": ["fd00::1"]}),
    ],
)
def test_each_family_of_a_service_has_its_slices(families, ips, expected):
    made = run(pod("a", node="n1"), NOW, address=ips[0])
    made["status"]["podIPs"] = [{"ip": ip} for ip in ips]
    world = serving(service(ipFamilies=families), made)
    found = {
        item["addressType"]: [a for e in item["endpoints"] for a in e["addresses"]] for item in world.all(ENDPOINTSLICE)
    }
    assert found == expected


@pytest.mark.parametrize(
    ("pods", "limit", "sizes"), [(0, 3, [0]), (1, 3, [1]), (3, 3, [3]), (4, 3, [1, 3]), (7, 2, [1, 2, 2, 2])]
)
def test_how_many_slices_so_many_pods_take(pods, limit, sizes):
    made = [run(pod(f"p{number}", node="n1"), NOW, address=f"10.1.0.{number + 1}") for number in range(pods)]
    world = serving(service(), *made, limit=limit)
    assert sorted(len(item["endpoints"]) for item in world.all(ENDPOINTSLICE)) == sizes


def test_a_family_that_a_service_gives_up_takes_its_slices_along():
    made = run(pod("a", node="n1"), NOW, address="10.1.0.1")
    made["status"]["podIPs"] = [{"ip": "10.1.0.1"}, {"ip": "fd00::1"}]
    world = serving(service(ipFamilies=["IPv4", "IPv6"]), made)
    world.change(SERVICE, "web", "default", lambda s: s["spec"].update(ipFamilies=["IPv4"]))
    world.settle()
    assert [item["addressType"] for item in world.all(ENDPOINTSLICE)] == ["IPv4"]


def test_labels_of_the_service_reach_its_slices_but_not_reserved_ones():
    made = service()
    made["metadata"]["labels"] = {"team": "red", "kubernetes.io/service-name": "forged"}
    world = serving(made)
    (item,) = world.all(ENDPOINTSLICE)
    assert meta.labels(item)["team"] == "red"
    assert meta.labels(item)["kubernetes.io/service-name"] == "web"
    world.change(SERVICE, "web", "default", lambda s: s["metadata"].update(labels={"team": "blue"}))
    world.settle()
    assert meta.labels(world.all(ENDPOINTSLICE)[0])["team"] == "blue"


# Zones (nodelifecycle, ComputeZoneState)


@pytest.mark.parametrize(
    ("ready", "down", "state"),
    [
        (0, 0, NORMAL),
        (1, 0, NORMAL),
        (0, 1, FULL),
        (0, 50, FULL),
        (1, 1, NORMAL),
        (1, 2, NORMAL),
        (1, 3, PARTIAL),
        (3, 3, NORMAL),
        (2, 3, PARTIAL),
        (9, 11, PARTIAL),
        (46, 54, NORMAL),
        (45, 55, PARTIAL),
    ],
)
def test_the_state_of_a_zone(ready, down, state):
    nodes = [node(f"n{number}", ready="True" if number < ready else "Unknown") for number in range(ready + down)]
    for item in nodes:
        item["metadata"]["uid"] = meta.name(item)
    observed = Observed().observe(nodes, Snapshot(NOW, nodes), Options())
    assert zone_states({"z": nodes}, observed, 0.55) == {"z": state}


@pytest.mark.parametrize(
    ("state", "nodes", "rate"),
    [(NORMAL, 3, 0.1), (FULL, 3, 0.1), (PARTIAL, 50, 0.0), (PARTIAL, 51, 0.01), (NORMAL, 5000, 0.1)],
)
def test_how_fast_a_zone_is_emptied(state, nodes, rate):
    assert eviction_rate(state, nodes, Options()) == rate


def test_zones_are_identified_by_region_and_zone():
    def labelled(region, zone):
        made = node(f"{region}-{zone}")
        keys = {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}
        made["metadata"]["labels"] |= {key: value for key, value in keys.items() if value}
        return made

    places = list(itertools.product(["eu", "us", ""], ["1", ""]))
    assert len({zone_of(labelled(*place)) for place in places}) == len(places)
    assert {zone: len(nodes) for zone, nodes in by_zone([labelled("", ""), labelled("eu", "1")]).items()} == {
        "": 1,
        "eu:1": 1,
    }


# Taint eviction


def toleration(seconds=None, **fields):
    made = {"operator": "Exists", "effect": "NoExecute", **fields}
    return made if seconds is None else made | {"tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("tolerations", "taints", "after"),
    [
        pytest.param([], ["a"], 0, id="none"),
        pytest.param([toleration()], ["a", "b"], None, id="all for ever"),
        pytest.param([toleration(0)], ["a"], 0, id="for no time"),
        pytest.param([toleration(-5)], ["a"], 0, id="for less than no time"),
        pytest.param([toleration(60)], ["a"], 60, id="for a while"),
        pytest.param([toleration(60, key="a")], ["a", "b"], 0, id="one of two"),
        pytest.param([toleration(60, key="a"), toleration(30, key="b")], ["a", "b"], 30, id="the shorter of two"),
        pytest.param([toleration(60, key="a"), toleration(key="b")], ["a", "b"], 60, id="a limit and none"),
        pytest.param([toleration(60), toleration(5)], ["a"], 60, id="of two for one taint the first"),
        pytest.param([toleration(60, effect="NoSchedule")], ["a"], 0, id="another effect"),
        pytest.param([toleration(60, effect="")], ["a"], 60, id="any effect"),
        pytest.param([{"key": "a", "value": "x", "effect": "NoExecute"}], ["a"], 0, id="another value"),
    ],
)
def test_when_a_pod_has_to_leave_a_tainted_node(tolerations, taints, after):
    world = Bench([tainteviction.loop()], [node("n1"), pod("p", node="n1", spec={"tolerations": tolerations})])
    world.change(
        NODE, "n1", "", lambda n: n["spec"].update(taints=[{"key": key, "effect": "NoExecute"} for key in taints])
    )
    world.settle()
    begun = world.now
    if after:
        world.advance(after - 1)
        assert world.names(POD) == ["p"]
        world.advance(1)
    elif after is None:
        world.advance(100_000)
    assert (world.names(POD) == []) is (after is not None)
    assert after is None or world.now - begun == after


def test_a_second_taint_shortens_what_the_first_allowed():
    patience = [toleration(600, key="a"), toleration(60, key="b")]
    world = Bench([tainteviction.loop()], [node("n1"), pod("p", node="n1", spec={"tolerations": patience})])
    world.change(NODE, "n1", "", lambda n: n["spec"].update(taints=[{"key": "a", "effect": "NoExecute"}]))
    world.advance(100)
    world.change(NODE, "n1", "", lambda n: n["spec"]["taints"].append({"key": "b", "effect": "NoExecute"}))
    world.advance(59)
    assert world.names(POD) == ["p"]
    world.advance(2)
    assert world.names(POD) == []


# Garbage collection


def chained(*, block=True, propagation=""):
    """An owner that is deleted, and a dependent that has a finalizer of its own."""
    world = Bench([garbagecollector.loop()])
    top = world.put(replica_set("top"))
    held = obj("v1", "ConfigMap", "held", data={})
    held["metadata"] |= {"ownerReferences": [owner(top, block=block)], "finalizers": ["example.com/held"]}
    world.put(held)
    world.settle()
    world.delete(REPLICASET, "top", propagation=propagation)
    world.settle()
    return world


@pytest.mark.parametrize(
    ("propagation", "block", "owner_left", "dependent"),
    [
        ("Background", True, False, "going"),
        ("Background", False, False, "going"),
        ("Foreground", True, True, "going"),
        ("Foreground", False, False, "going"),
        ("Orphan", True, False, "free"),
        ("Orphan", False, False, "free"),
    ],
)
def test_who_is_left_of_an_owner_and_a_dependent_that_is_held(propagation, block, owner_left, dependent):
    world = chained(block=block, propagation=propagation)
    assert bool(world.names(REPLICASET)) is owner_left
    held = world.need(CONFIGMAP, "held")
    assert meta.deleting(held) is (dependent == "going")
    assert bool(ownership.owner_references(held)) is (dependent == "going")
    world.change(CONFIGMAP, "held", "default", lambda c: c["metadata"].update(finalizers=[]))
    if dependent == "going":
        world.remove(CONFIGMAP, "held")
    world.settle()
    assert world.names(REPLICASET) == []


def test_with_two_owners_an_object_goes_with_the_last():
    world = Bench([garbagecollector.loop()])
    owners = [world.put(replica_set(name)) for name in ("one", "two")]
    references = [owner(item, controller=number == 0) for number, item in enumerate(owners)]
    world.put(obj("v1", "ConfigMap", "shared", data={}, metadata={"ownerReferences": references}))
    world.settle()
    for name, left in (("two", ["shared"]), ("one", [])):
        world.delete(REPLICASET, name)
        world.settle()
        assert world.names(CONFIGMAP) == left


# Namespaces


def test_what_is_left_in_a_namespace_is_listed_by_resource_and_group():
    space = obj("v1", "Namespace", "team", namespace="", spec={"finalizers": ["kubernetes"]}, status={})
    guard = {"finalizers": ["example.com/a", "example.com/b"], "namespace": "team"}
    held = [
        obj("v1", "ConfigMap", "one", namespace="team", metadata=guard),
        obj("v1", "ConfigMap", "two", namespace="team", metadata={"finalizers": ["example.com/a"]}),
        obj("apps/v1", "ReplicaSet", "rs", namespace="team", metadata=guard, spec={}),
    ]
    world = Bench([namespace.loop()], [space, *held])
    world.delete(NAMESPACE, "team")
    world.advance(10)
    said = {item["type"]: item["message"] for item in meta.conditions(world.need(NAMESPACE, "team"))}
    assert said["NamespaceContentRemaining"] == (
        "Some resources are remaining: configmaps. has 2 resource instances, replicasets.apps has 1 resource instances"
    )
    assert said["NamespaceFinalizersRemaining"] == (
        "Some content in the namespace has finalizers remaining: "
        "example.com/a in 3 resource instances, example.com/b in 2 resource instances"
    )
    assert world.need(NAMESPACE, "team")["status"]["phase"] == "Terminating"
