"""Endpoints written by hand become EndpointSlices (pkg/controller/endpointslicemirroring)."""

import pytest

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTS, ENDPOINTSLICE, SERVICE
from homeostat.api.rules import wellknown
from homeostat.controllers.services import endpoints, endpointslice, endpointslicemirroring
from homeostat.network.decide.endpoint_selection import endpoints_of
from tests.support.controlling import NOW, Bench, node, obj, pod, run, service

MANAGER = "endpointslicemirroring-controller.k8s.io"
HTTP = {"name": "http", "port": 8080, "protocol": "TCP"}


def bench(*objects, limit=1000):
    loops = [endpointslice.loop(), endpoints.loop(), endpointslicemirroring.loop(addresses_per_subset_max=limit)]
    world = Bench(loops, [node("n1"), *objects])
    world.settle()
    return world


def bare_service():
    made = service()
    del made["spec"]["selector"]
    return made


def by_hand(*subsets, **metadata):
    return obj("v1", "Endpoints", "web", metadata=metadata, subsets=list(subsets))


def subset(*addresses, waiting=(), ports=(HTTP,)):
    found = {"addresses": [{"ip": address} for address in addresses], "ports": list(ports)}
    return found | ({"notReadyAddresses": [{"ip": address} for address in waiting]} if waiting else {})


def addresses(world):
    return {
        endpoint["addresses"][0]: endpoint["conditions"]["ready"]
        for item in world.all(ENDPOINTSLICE)
        for endpoint in item["endpoints"]
    }


def test_endpoints_of_a_service_without_selector_become_slices_that_proxies_read():
    target = {"kind": "Pod", "name": "a", "namespace": "default", "uid": "u"}
    given = by_hand(
        {
            "addresses": [{"ip": "10.9.0.1", "hostname": "one", "nodeName": "n1", "targetRef": target}],
            "notReadyAddresses": [{"ip": "10.9.0.2"}],
            "ports": [{**HTTP, "appProtocol": "kubernetes.io/h2c"}],
        },
        labels={"team": "a"},
        annotations={"why": "legacy", wellknown.ANNOTATION_LAST_APPLIED: "{}"},
    )
    world = bench(bare_service(), given)
    (item,) = world.all(ENDPOINTSLICE)
    owner = world.need(ENDPOINTS, "web")
    assert item["metadata"]["generateName"] == "web-"
    assert item["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": MANAGER,
    }
    assert item["metadata"]["annotations"] == {"why": "legacy"}
    assert item["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "name": "web",
            "uid": meta.uid(owner),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert item["addressType"] == "IPv4"
    assert item["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080, "appProtocol": "kubernetes.io/h2c"}]
    assert item["endpoints"] == [
        {
            "addresses": ["10.9.0.1"],
            "conditions": {"ready": True},
            "hostname": "one",
            "nodeName": "n1",
            "targetRef": target,
        },
        {"addresses": ["10.9.0.2"], "conditions": {"ready": False}},
    ]
    seen = endpoints_of([item], "http", "TCP")
    assert [(each.backend.address, each.ready) for each in seen] == [("10.9.0.1", True), ("10.9.0.2", False)]


def test_a_change_updates_the_slice_and_the_same_again_writes_nothing():
    world = bench(bare_service(), by_hand(subset("10.9.0.1")))
    (name,) = world.names(ENDPOINTSLICE)
    world.writes.clear()
    world.change(ENDPOINTS, "web", "default", lambda e: e["metadata"].update(resourceVersion="9"))
    world.settle()
    assert world.writes == []
    world.put(by_hand(subset("10.9.0.2", waiting=["10.9.0.1"]), labels={"a": "b"}))
    world.settle()
    assert addresses(world) == {"10.9.0.2": True, "10.9.0.1": False}
    assert world.writes == [("write", "EndpointSlice", name)]
    world.put(by_hand(labels={"a": "b"}))
    world.settle()
    assert world.all(ENDPOINTSLICE) == []


def test_families_and_lists_of_ports_have_a_slice_each():
    dns = {"name": "dns", "port": 53, "protocol": "UDP"}
    world = bench(bare_service(), by_hand(subset("10.9.0.1", "fd00::1"), subset("10.9.0.1", ports=[dns])))
    found = [(item["addressType"], item["ports"][0]["port"]) for item in world.all(ENDPOINTSLICE)]
    assert sorted(found) == [("IPv4", 53), ("IPv4", 8080), ("IPv6", 8080)]


def test_a_slice_that_somebody_changed_is_put_right_and_a_second_one_goes():
    world = bench(bare_service(), by_hand(subset("10.9.0.1")))
    (item,) = world.all(ENDPOINTSLICE)
    world.put({**item, "endpoints": []})
    world.put({**item, "metadata": {**item["metadata"], "name": "web-other", "uid": "other"}})
    world.settle()
    assert len(world.all(ENDPOINTSLICE)) == 1
    assert addresses(world) == {"10.9.0.1": True}


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}},
    ],
)
def test_endpoints_that_are_not_to_be_mirrored_are_left_alone(metadata):
    world = bench(bare_service(), by_hand(subset("10.9.0.1"), **metadata))
    assert world.all(ENDPOINTSLICE) == []
    # Those that were mirrored before lose their slices.
    world = bench(bare_service(), by_hand(subset("10.9.0.1")))
    world.change(ENDPOINTS, "web", "default", lambda e: e["metadata"].update(metadata))
    world.settle()
    assert world.all(ENDPOINTSLICE) == []


def test_endpoints_without_a_service_wait_for_it_and_slices_go_with_it():
    world = bench(by_hand(subset("10.9.0.1")))
    assert world.all(ENDPOINTSLICE) == []
    world.put(bare_service())
    world.settle()
    assert addresses(world) == {"10.9.0.1": True}
    world.remove(SERVICE, "web")
    world.settle()
    assert world.all(ENDPOINTSLICE) == []


def test_slices_go_with_the_endpoints_they_came_from():
    world = bench(bare_service(), by_hand(subset("10.9.0.1")))
    world.remove(ENDPOINTS, "web")
    world.settle()
    assert world.all(ENDPOINTSLICE) == []


def test_a_service_with_a_selector_has_the_slices_of_its_pods_only():
    world = bench(service(), run(pod("a", node="n1"), NOW, address="10.1.0.1"))
    managers = [meta.labels(item)["endpointslice.kubernetes.io/managed-by"] for item in world.all(ENDPOINTSLICE)]
    assert managers == ["endpointslice-controller.k8s.io"]
    # A Service that gets a selector loses what was mirrored.
    world = bench(bare_service(), by_hand(subset("10.9.0.1")))
    world.put(service())
    world.settle()
    assert addresses(world) == {}


def test_at_most_so_many_addresses_of_a_subset_are_mirrored_and_an_event_says_so():
    world = bench(bare_service(), by_hand(subset("10.9.0.1", "10.9.0.2", waiting=["10.9.0.3", "10.9.0.4"])), limit=3)
    assert addresses(world) == {"10.9.0.1": True, "10.9.0.2": True, "10.9.0.3": False}
    text = "A max of 3 addresses can be mirrored to EndpointSlices per Endpoints subset. 1 addresses were skipped"
    assert world.events == [("TooManyAddressesToMirror", text)]


def test_what_is_no_address_is_passed_over_and_an_event_says_so():
    world = bench(bare_service(), by_hand(subset("10.9.0.1", "nowhere")))
    assert addresses(world) == {"10.9.0.1": True}
    text = "Skipped 1 invalid IP addresses when mirroring to EndpointSlices"
    assert world.events == [("InvalidIPAddress", text)]
