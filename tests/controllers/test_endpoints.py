"""Services reach ready Pods: EndpointSlices and Endpoints (k8s.io/endpointslice, pkg/controller/endpoint)."""

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTS, ENDPOINTSLICE, NODE, POD, SERVICE
from homeostat.controllers.services import endpoints, endpointslice
from homeostat.loop.snapshot import Snapshot
from tests.support.controlling import NOW, Bench, node, obj, owner, pod, run, service


def bench(*objects, limit=100):
    return Bench([endpointslice.loop(endpoints_per_slice_max=limit), endpoints.loop()], [node("n1"), *objects])


def ready(name, address, **fields):
    return run(pod(name, node="n1", **fields), NOW, address=address)


def addresses(world, condition="ready"):
    return sorted(
        address
        for item in world.all(ENDPOINTSLICE)
        for endpoint in item["endpoints"]
        for address in endpoint["addresses"]
        if endpoint["conditions"][condition]
    )


def subsets(world, name="web"):
    return world.need(ENDPOINTS, name)["subsets"]


def test_ready_pods_become_endpoints_with_all_that_proxies_need():
    world = bench(service(), ready("a", "10.1.0.1"))
    world.change(NODE, "n1", "", lambda n: n["metadata"]["labels"].update({"topology.kubernetes.io/zone": "z1"}))
    world.settle()
    (item,) = world.all(ENDPOINTSLICE)
    assert item["metadata"]["labels"] == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert item["addressType"] == "IPv4"
    assert item["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
    target = {"kind": "Pod", "namespace": "default", "name": "a", "uid": meta.uid(world.need(POD, "a"))}
    assert item["endpoints"] == [
        {
            "addresses": ["10.1.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": target,
            "nodeName": "n1",
            "zone": "z1",
        }
    ]
    assert subsets(world) == [
        {
            "addresses": [{"ip": "10.1.0.1", "nodeName": "n1", "targetRef": target}],
            "ports": [{"port": 8080, "protocol": "TCP"}],
        }
    ]


def test_an_unready_pod_is_there_but_not_ready():
    world = bench(service(), run(pod("a", node="n1"), NOW, ready=False, address="10.1.0.1"))
    world.settle()
    assert addresses(world) == []
    assert len(world.all(ENDPOINTSLICE)[0]["endpoints"]) == 1
    assert "addresses" not in subsets(world)[0]
    assert subsets(world)[0]["notReadyAddresses"][0]["ip"] == "10.1.0.1"


def test_a_pod_that_ends_serves_on_until_it_has_gone_but_gets_nothing_new():
    world = bench(service(), ready("a", "10.1.0.1"))
    world.settle()
    world.change(POD, "a", "default", lambda p: p["metadata"].update(deletionTimestamp="2027-01-01T00:00:00Z"))
    world.settle()
    (endpoint,) = world.all(ENDPOINTSLICE)[0]["endpoints"]
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert subsets(world) == []
    world.remove(POD, "a")
    world.settle()
    assert world.all(ENDPOINTSLICE)[0]["endpoints"] == []


def test_ended_pods_and_pods_without_address_are_no_endpoints():
    world = bench(service(), pod("a", node="n1"), pod("b", node="n1", phase="Failed", podIP="10.1.0.2"))
    world.settle()
    (item,) = world.all(ENDPOINTSLICE)
    assert item["endpoints"] == []
    assert subsets(world) == []


def test_publish_not_ready_addresses_counts_every_pod_as_ready():
    unready = run(pod("a", node="n1"), NOW, ready=False, address="10.1.0.1")
    world = bench(service(publishNotReadyAddresses=True), unready)
    world.settle()
    assert addresses(world) == ["10.1.0.1"]
    assert subsets(world)[0]["addresses"][0]["ip"] == "10.1.0.1"


def test_named_target_ports_are_looked_up_in_each_pod():
    def named(name, address, number):
        ports = [{"name": "http", "containerPort": number, "protocol": "TCP"}]
        return ready(name, address, spec={"containers": [{"name": "main", "ports": ports}]})

    web = service(ports=[{"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"}])
    world = bench(web, named("a", "10.1.0.1", 8080), named("b", "10.1.0.2", 9090))
    world.settle()
    found = {item["ports"][0]["port"]: item["endpoints"][0]["addresses"] for item in world.all(ENDPOINTSLICE)}
    assert found == {8080: ["10.1.0.1"], 9090: ["10.1.0.2"]}


def test_only_a_changed_slice_is_written_and_slices_are_filled_before_new_ones_are_made():
    world = bench(service(), *[ready(f"p{i}", f"10.1.0.{i}") for i in range(1, 6)], limit=2)
    world.settle()
    assert sorted(len(item["endpoints"]) for item in world.all(ENDPOINTSLICE)) == [1, 2, 2]
    before = {meta.name(item): item["metadata"]["resourceVersion"] for item in world.all(ENDPOINTSLICE)}
    world.put(ready("p6", "10.1.0.6"))
    world.settle()
    after = {meta.name(item): item["metadata"]["resourceVersion"] for item in world.all(ENDPOINTSLICE)}
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1
    assert len(addresses(world)) == 6


def test_emptied_slices_go_and_the_last_one_stays_as_a_sign():
    world = bench(service(), *[ready(f"p{i}", f"10.1.0.{i}") for i in range(1, 6)], limit=2)
    world.settle()
    for name in world.names(POD):
        world.remove(POD, name)
    world.settle()
    assert [item["endpoints"] for item in world.all(ENDPOINTSLICE)] == [[]]
    settled = list(world.writes)
    world.change(SERVICE, "web", "default", lambda s: None)
    world.settle()
    assert world.writes == settled


def test_the_empty_slice_takes_the_first_endpoints():
    world = bench(service())
    world.settle()
    (empty,) = world.names(ENDPOINTSLICE)
    world.put(ready("a", "10.1.0.1"))
    world.settle()
    assert world.names(ENDPOINTSLICE) == [empty]
    assert addresses(world) == ["10.1.0.1"]
    assert world.need(ENDPOINTSLICE, empty)["ports"][0]["port"] == 8080


def test_headless_services_publish_host_names():
    headless = service(clusterIP="None")
    world = bench(headless, ready("a", "10.1.0.1", spec={"hostname": "first", "subdomain": "web"}))
    world.settle()
    (item,) = world.all(ENDPOINTSLICE)
    assert item["endpoints"][0]["hostname"] == "first"
    assert item["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert subsets(world)[0]["addresses"][0]["hostname"] == "first"


def test_services_without_selector_and_external_names_are_left_alone():
    own = obj("v1", "Endpoints", "bare", subsets=[{"addresses": [{"ip": "192.0.2.1"}]}])
    world = bench(service("bare", selector={}), own, service("far", type="ExternalName"))
    world.settle()
    assert world.all(ENDPOINTSLICE) == []
    assert world.names(ENDPOINTS) == ["bare"]
    assert subsets(world, "bare") == [{"addresses": [{"ip": "192.0.2.1"}]}]


def test_both_families_get_slices_of_their_own():
    both = ready("a", "10.1.0.1")
    both["status"]["podIPs"] = [{"ip": "10.1.0.1"}, {"ip": "fd00::1"}]
    world = bench(service(ipFamilies=["IPv4", "IPv6"]), both)
    world.settle()
    found = {item["addressType"]: item["endpoints"][0]["addresses"] for item in world.all(ENDPOINTSLICE)}
    assert found == {"IPv4": ["10.1.0.1"], "IPv6": ["fd00::1"]}


def test_a_changed_selector_changes_the_endpoints():
    world = bench(service(), ready("a", "10.1.0.1"), ready("b", "10.1.0.2", app="other"))
    world.settle()
    world.change(SERVICE, "web", "default", lambda s: s["spec"].update(selector={"app": "other"}))
    world.settle()
    assert addresses(world) == ["10.1.0.2"]


def test_foreign_slices_are_not_touched():
    theirs = obj("discovery.k8s.io/v1", "EndpointSlice", "theirs", addressType="IPv4", endpoints=[], ports=[])
    theirs["metadata"]["labels"] = {"kubernetes.io/service-name": "web"}
    world = bench(service(), theirs)
    world.settle()
    assert "theirs" in world.names(ENDPOINTSLICE)


def test_a_deleted_slice_is_made_again_and_endpoints_follow_their_service():
    world = bench(service(), ready("a", "10.1.0.1"))
    world.settle()
    world.remove(ENDPOINTSLICE, world.names(ENDPOINTSLICE)[0])
    world.settle()
    assert addresses(world) == ["10.1.0.1"]
    world.remove(SERVICE, "web")
    world.settle()
    assert world.all(ENDPOINTS) == []


def test_endpoints_hold_at_most_1000_addresses_and_say_when_that_cut_some_off():
    pods = [ready(f"p{i}", f"10.1.{i // 250}.{i % 250}", metadata={"uid": str(i)}) for i in range(1100)]
    (create,) = endpoints.decide("default/web", Snapshot(NOW, [service(), *pods]))
    assert len(create.obj["subsets"][0]["addresses"]) == 1000
    assert meta.annotations(create.obj)["endpoints.kubernetes.io/over-capacity"] == "truncated"


def test_changes_that_no_service_sees_cost_no_decision():
    world = bench(service(), ready("a", "10.1.0.1"))
    world.settle()
    old = world.need(POD, "a")
    new = old | {"status": old["status"] | {"containerStatuses": [{"restartCount": 0}]}}
    (watch,) = [watch for watch in endpointslice.loop().watches if watch.kind is POD]
    assert list(watch.keys(old, new, Snapshot(NOW, [world.need(SERVICE, "web")]))) == []


def test_slices_belong_to_their_service():
    world = bench(service())
    world.settle()
    (item,) = world.all(ENDPOINTSLICE)
    assert item["metadata"]["ownerReferences"] == [owner(world.need(SERVICE, "web"))]


def test_a_pod_on_a_node_that_nobody_knows_waits_for_the_node():
    world = bench(service(), run(pod("a", node="n9"), NOW, address="10.1.0.9"))
    world.settle()
    assert addresses(world) == []
    world.put(node("n9"))
    world.settle()
    assert addresses(world) == ["10.1.0.9"]


def test_endpoints_are_meant_for_the_zone_or_node_that_a_service_asks_to_keep_traffic_in():
    # KEP-2433 (PreferClose, PreferSameZone) and KEP-3015 (PreferSameNode).
    def hints(world):
        return [endpoint.get("hints") for item in world.all(ENDPOINTSLICE) for endpoint in item["endpoints"]]

    def prefer(nearness):
        world.change(SERVICE, "web", "default", lambda s: s["spec"].update(trafficDistribution=nearness))
        world.settle()

    world = bench(service(), ready("a", "10.1.0.1"), run(pod("b", node="n1"), NOW, ready=False, address="10.1.0.2"))
    world.change(NODE, "n1", "", lambda n: n["metadata"]["labels"].update({"topology.kubernetes.io/zone": "z1"}))
    world.settle()
    assert hints(world) == [None, None]
    for nearness in ("PreferClose", "PreferSameZone"):
        prefer(nearness)
        assert hints(world) == [{"forZones": [{"name": "z1"}]}, None]
    prefer("PreferSameNode")
    assert hints(world) == [{"forZones": [{"name": "z1"}], "forNodes": [{"name": "n1"}]}, None]
    prefer(None)
    assert hints(world) == [None, None]
