"""One healthy node answers for a load balancer's address, and another steps in when it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from homeostat.loop.informer import Changed
from homeostat.loop.objects import ObjectIndex
from homeostat.network.decide.announcing_node import Candidate, answers, healthy, rank, rivals
from homeostat.network.kernel import arp
from homeostat.network.kubeproxy.announcer import Announcer
from tests.support.netns import Space
from tests.support.patience import eventually
from tests.support.wires import Server, Wires, ask

Obj = dict[str, Any]
ADDRESS = "172.30.0.200"
NODES = {"a": "172.30.0.21", "b": "172.30.0.22"}
CANDIDATES = [Candidate(name, address) for name, address in NODES.items()]


def node(name: str, *, ready: str = "True", **labels: str) -> Obj:
    status = {
        "addresses": [{"type": "InternalIP", "address": NODES[name]}],
        "conditions": [{"type": "Ready", "status": ready}],
    }
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def service(**spec: Any) -> Obj:
    full = {"type": "LoadBalancer", "clusterIP": "10.96.0.5", "ports": [{"port": 80}], **spec}
    status = {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": full, "status": status}


def piece(*nodes: str) -> Obj:
    endpoints = [{"addresses": ["10.244.1.2"], "nodeName": name, "conditions": {"ready": True}} for name in nodes]
    labels = {"kubernetes.io/service-name": "web"}
    return {"metadata": {"name": "web-x", "namespace": "default", "labels": labels}, "endpoints": endpoints}


def test_nodes_that_are_not_ready_or_are_excluded_take_no_balanced_traffic() -> None:
    assert [c.name for c in healthy([node("a"), node("b", ready="Unknown")])] == ["a"]
    label = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}
    assert [c.name for c in healthy([node("a", **label), node("b")])] == ["b"]


def test_every_node_computes_the_same_rank_and_addresses_are_spread() -> None:
    assert rank(service(), [], CANDIDATES) == rank(service(), [], CANDIDATES[::-1])
    many = [{"ip": f"172.30.0.{number}"} for number in range(200, 240)]
    ranks = rank(service() | {"status": {"loadBalancer": {"ingress": many}}}, [], CANDIDATES)
    assert {ranked[0].name for ranked in ranks.values()} == {"a", "b"}


def test_under_policy_local_only_nodes_with_a_ready_endpoint_are_ranked() -> None:
    local = service(externalTrafficPolicy="Local")
    assert rank(local, [piece("b")], CANDIDATES) == {ADDRESS: (CANDIDATES[1],)}
    assert rank(local, [], CANDIDATES) == {ADDRESS: ()}


def test_a_node_answers_while_none_before_it_is_alive() -> None:
    ranked = (Candidate("x", "1"), Candidate("y", "2"), Candidate("z", "3"))
    assert [answers(ranked, name, {"1", "2", "3"}) for name in "xyz"] == [True, False, False]
    assert [answers(ranked, name, {"2", "3"}) for name in "xyz"] == [True, True, False]
    assert not answers(ranked, "other", set())
    assert rivals({"v": ranked}, "z") == {"1", "2"} and rivals({"v": ranked}, "other") == set()


def test_frames_say_what_they_were_made_of() -> None:
    asked = arp.parse(arp.request("02:00:00:00:00:01", "172.30.0.21", "172.30.0.22"))
    assert asked == arp.Packet("02:00:00:00:00:01", "172.30.0.21", "172.30.0.22", False)
    announced = arp.parse(arp.announcement("02:00:00:00:00:01", ADDRESS))
    assert announced is not None and announced.sender == announced.target == ADDRESS
    assert arp.parse(b"short") is None and arp.parse(bytes(60)) is None


class Shelf:
    """As much of an informer as is read."""

    def __init__(self, *objects: Obj) -> None:
        self.objects = ObjectIndex()
        self._changed: Changed = lambda old, new: None
        for obj in objects:
            self.objects.put(obj)

    def listen(self, changed: Changed) -> None:
        self._changed = changed

    def put(self, obj: Obj) -> None:
        self.objects.put(obj)
        self._changed(None, obj)

    def remove(self, namespace: str, name: str) -> None:
        self.objects.remove(namespace, name)
        self._changed({}, None)


class Caches:
    """What a node's caches hold; `api` says whether the API answers."""

    def __init__(self) -> None:
        self.services, self.slices = Shelf(service()), Shelf(piece("a", "b"))
        self.nodes = Shelf(node("a"), node("b"))
        self.api = True

    async def synced(self) -> None: ...

    async def reach(self) -> None:
        if not self.api:
            raise OSError("unreachable")


class Running:
    """An announcer in a node's namespace, on a loop of its own."""

    def __init__(self, space: Space, name: str) -> None:
        self.caches = Caches()
        self._name = name
        self._ready = threading.Event()
        self._thread = space.thread(lambda: asyncio.run(self._main()))
        assert self._ready.wait(10)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.announcer = Announcer(self.caches, self._name, NODES[self._name], self.caches.reach)  # type: ignore[arg-type]
        self.announcer.start()
        self._ready.set()
        await self._stop.wait()
        await self.announcer.stop()

    def apply(self, change: Callable[[Caches], object]) -> None:
        """Change what the caches hold."""
        self._loop.call_soon_threadsafe(change, self.caches)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def wires() -> Iterator[Wires]:
    made = Wires(bridges=False)
    made.servers += [Server(space) for space in made.nodes.values()]
    yield made
    made.close()


FIRST, SECOND = (candidate.name for candidate in rank(service(), [], CANDIDATES)[ADDRESS])


def answering(wires: Wires) -> str:
    return ask(wires.outside, ADDRESS, 8080, patience=0.2).split()[0]


@pytest.mark.real
def test_the_address_moves_when_its_node_loses_power_or_its_cable_and_comes_back(wires: Wires) -> None:
    running = {name: Running(space, name) for name, space in wires.nodes.items()}
    eventually(lambda: answering(wires) == FIRST)
    assert running[SECOND].announcer.held == frozenset()
    wires.wire.ip(f"link set to-{FIRST} down")
    eventually(lambda: answering(wires) == SECOND, seconds=10)
    wires.wire.ip(f"link set to-{FIRST} up")
    eventually(lambda: answering(wires) == FIRST and not running[SECOND].announcer.held, seconds=10)
    # While the process restarts, the kernel continues answering.
    running[FIRST].stop()
    assert answering(wires) == FIRST
    again = Running(wires.nodes[FIRST], FIRST)
    eventually(lambda: again.announcer.held == {ADDRESS})
    for each in (again, running[SECOND]):
        each.stop()


@pytest.mark.real
def test_a_node_that_cannot_reach_the_api_yields_to_the_one_that_can(wires: Wires, monkeypatch: Any) -> None:
    monkeypatch.setattr("homeostat.network.kubeproxy.announcer._STALE_SECONDS", 0.2)
    monkeypatch.setattr("homeostat.network.kubeproxy.announcer._CHECK_SECONDS", 0.1)
    running = {name: Running(space, name) for name, space in wires.nodes.items()}
    eventually(lambda: answering(wires) == FIRST)
    # As after a cut of port 443: the cluster has given the node up, and the node does not know.
    running[FIRST].caches.api = False
    running[SECOND].apply(lambda caches: caches.nodes.put(node(FIRST, ready="Unknown")))
    eventually(lambda: answering(wires) == SECOND and not running[FIRST].announcer.held, seconds=10)
    running[FIRST].caches.api = True
    running[SECOND].apply(lambda caches: caches.nodes.put(node(FIRST)))
    eventually(lambda: answering(wires) == FIRST and not running[SECOND].announcer.held, seconds=10)
    # The address of a deleted Service is released.
    for each in running.values():
        each.apply(lambda caches: caches.services.remove("default", "web"))
    eventually(lambda: not running[FIRST].announcer.held)
    assert ADDRESS not in wires.nodes[FIRST].run("ip", "addr")
    for each in running.values():
        each.stop()
