"""Services of type LoadBalancer get addresses of a pool (the Service API, k8s.io/cloud-provider)."""

import pytest

from homeostat.api import meta
from homeostat.api.kinds import SERVICE
from homeostat.controllers.services import servicelb
from homeostat.kit.clock import rfc3339
from tests.support.controlling import NOW, Bench, service

POOL = ("172.30.0.200", "172.30.0.202")


def bench(*services):
    return Bench([servicelb.loop(POOL)], services)


def balanced(name="web", age=0, **spec):
    made = service(name, type="LoadBalancer", **spec)
    made["metadata"]["creationTimestamp"] = rfc3339(NOW - age)
    return made


def having(made, address):
    return made | {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}


def addresses(world):
    found = {meta.name(item): (item.get("status") or {}).get("loadBalancer") or {} for item in world.all(SERVICE)}
    return {name: reported["ingress"][0]["ip"] if reported.get("ingress") else "" for name, reported in found.items()}


def test_each_gets_an_address_of_its_own_oldest_first():
    world = bench(balanced("b", age=1), balanced("a", age=2), service("inner"))
    world.settle()
    assert addresses(world) == {"a": "172.30.0.200", "b": "172.30.0.201", "inner": ""}
    assert world.reasons() == ["EnsuredLoadBalancer"] * 2
    assert world.need(SERVICE, "a")["status"]["loadBalancer"]["ingress"] == [{"ip": "172.30.0.200", "ipMode": "VIP"}]


def test_an_address_stays_with_its_service_and_comes_back_to_the_pool_with_its_end():
    world = bench(balanced("a"))
    world.settle()
    for name in ("b", "c", "d"):
        world.put(balanced(name))
    world.settle()
    assert addresses(world) == {"a": "172.30.0.200", "b": "172.30.0.201", "c": "172.30.0.202", "d": ""}
    assert world.events[-1] == (
        "SyncLoadBalancerFailed",
        "Error syncing load balancer: every address of the pool is in use",
    )
    world.remove(SERVICE, "b")
    world.settle()
    assert addresses(world) == {"a": "172.30.0.200", "c": "172.30.0.202", "d": "172.30.0.201"}


def test_a_service_that_becomes_another_type_gives_its_address_back():
    world = bench(balanced("a"))
    world.settle()
    world.change(SERVICE, "a", "default", lambda found: found["spec"].update(type="NodePort"))
    world.settle()
    assert addresses(world) == {"a": ""}


def test_an_address_that_is_asked_for_is_given_when_it_is_free():
    world = bench(balanced("a", loadBalancerIP="172.30.0.202"), balanced("b", loadBalancerIP="172.30.0.202", age=-1))
    world.settle()
    assert addresses(world) == {"a": "172.30.0.202", "b": ""}
    assert "172.30.0.202 belongs to the Service default/a" in world.events[-1][1]
    world.change(SERVICE, "a", "default", lambda found: found["spec"].update(loadBalancerIP="172.30.0.201"))
    world.settle()
    assert addresses(world) == {"a": "172.30.0.201", "b": "172.30.0.202"}


@pytest.mark.parametrize("asked", ["192.0.2.1", "nonsense", "fd00::1"])
def test_an_address_outside_the_pool_is_refused_in_an_event(asked):
    world = bench(balanced("a", loadBalancerIP=asked))
    world.settle()
    assert addresses(world) == {"a": ""}
    assert world.events == [("SyncLoadBalancerFailed", f"Error syncing load balancer: {asked} is not in the pool")]


def test_of_two_services_with_one_address_the_older_keeps_it():
    world = bench(having(balanced("new", age=1), "172.30.0.200"), having(balanced("old", age=2), "172.30.0.200"))
    world.settle()
    assert addresses(world) == {"new": "172.30.0.201", "old": "172.30.0.200"}


def test_services_of_another_class_or_with_addresses_of_others_are_left_alone():
    other = having(balanced("other", loadBalancerClass="example.com/metal"), "192.0.2.7")
    mine = balanced("mine", loadBalancerClass=servicelb.CLASS)
    world = bench(other, mine, having(service("plain"), "192.0.2.8"))
    world.settle()
    assert addresses(world) == {"other": "192.0.2.7", "mine": "172.30.0.200", "plain": "192.0.2.8"}
