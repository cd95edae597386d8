"""A node's proxy over a real API server: its rules follow Services, EndpointSlices and the Node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from homeostat.api.kinds import ENDPOINTSLICE, NAMESPACE, NODE, SERVICE
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, virtual
from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.node_plan import Entry, Health, NodePlan, Way
from homeostat.network.decide.service_ports import Front
from homeostat.network.kernel.programs import ProgramError
from homeostat.network.kubeproxy.node_proxy import NodeProxy, merged
from homeostat.network.watch.shared_caches import Caches
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User

Obj = dict[str, Any]
ADMIN = User("admin", ("system:masters",))
ZONE = "topology.kubernetes.io/zone"


class Applied:
    """Records its calls; fails as often as asked."""

    def __init__(self) -> None:
        self.plans: list[NodePlan] = []
        self.moves: list[tuple[NodePlan, NodePlan]] = []
        self.checks: Mapping[str, Health] = {}
        self.refusals = 0

    async def apply(self, plan: NodePlan) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ProgramError("busy")
        self.plans.append(dict(plan))

    async def moved(self, old: NodePlan, new: NodePlan) -> None:
        self.moves.append((old, new))

    async def health(self, checks: Mapping[str, Health]) -> None:
        self.checks = dict(checks)

    def now(self) -> dict[int, list[str]]:
        """The backends of each port, as applied last."""
        return {front.port: [b.address for b in entry.inside] for front, entry in self.plans[-1].items()}


class World:
    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self.rules = Applied()
        self._caches = Caches(client)
        self.proxy = NodeProxy(self._caches, self.rules, "n1", self.rules)

    async def start(self) -> None:
        self.proxy.start()
        self._caches.start()
        await self.proxy.synced.wait()

    async def stop(self) -> None:
        await self.proxy.stop()
        await self._caches.stop()

    async def service(self, name: str, port: int, **spec: Any) -> Obj:
        spec = {
            "selector": {"app": name},
            "clusterIP": f"10.96.0.{port}",
            "ports": [{"port": port, "protocol": "TCP"}],
            **spec,
        }
        return await self.client.create(SERVICE, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def slice(self, service: str, *addresses: str, name: str = "", hints: Obj | None = None) -> Obj:
        return await self.client.create(
            ENDPOINTSLICE, endpoints(name or f"{service}-x", service, *addresses, hints=hints)
        )


def endpoints(name: str, service: str, *addresses: str, hints: Obj | None = None) -> Obj:
    found = [
        {"addresses": [address], "conditions": {"ready": True}, "nodeName": "n1"} | ({"hints": hints} if hints else {})
        for address in addresses
    ]
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": found,
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
    }


def run(story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        store = MemoryStore(MemoryState())
        server = ApiServer(store)
        await store.start()
        await server.start()
        client = ApiClient(InProcessTransport([server.handle], ADMIN))
        await client.create(NAMESPACE, {"metadata": {"name": "default"}})
        await client.create(NODE, {"metadata": {"name": "n1", "labels": {ZONE: "east"}}})
        world = World(client)
        await story(world)
        await world.stop()
        await server.stop()

    virtual.run(main, seed=1)


def test_rules_follow_services_and_slices() -> None:
    async def story(world: World) -> None:
        await world.service("web", 80)
        first = await world.slice("web", "10.244.1.2")
        await world.start()
        assert world.rules.now() == {80: ["10.244.1.2"]}
        first["endpoints"] = endpoints("", "", "10.244.1.3")["endpoints"]
        await world.client.update(ENDPOINTSLICE, first)
        await world.slice("web", "10.244.1.4", name="web-y")
        await clock.sleep(0.1)
        assert world.rules.now() == {80: ["10.244.1.3", "10.244.1.4"]}
        await world.client.delete(SERVICE, "web", "default")
        await clock.sleep(0.1)
        assert world.rules.now() == {}

    run(story)


def test_the_first_plan_holds_everything_that_is_there_at_once() -> None:
    # A proxy that begins again must not give the kernel half the Services: it would refuse the others.
    async def story(world: World) -> None:
        for number in range(5):
            await world.service(f"web-{number}", 80 + number)
            await world.slice(f"web-{number}", f"10.244.1.{2 + number}")
        await world.start()
        assert {port: addresses for port, addresses in world.rules.now().items() if not addresses} == {}
        assert len(world.rules.plans) == 1 and len(world.rules.plans[0]) == 5

    run(story)


def test_a_refused_transaction_is_tried_again_with_what_is_true_by_then() -> None:
    async def story(world: World) -> None:
        await world.service("web", 80)
        await world.start()
        world.rules.refusals = 3
        await world.slice("web", "10.244.1.2")
        await clock.sleep(0.25)
        await world.slice("web", "10.244.1.3", name="web-y")
        await clock.sleep(2)
        assert world.rules.refusals == 0
        assert world.rules.now() == {80: ["10.244.1.2", "10.244.1.3"]}
        # Followers of the rules are notified of one step from the old state to the new one.
        before, after = world.rules.moves[-1]
        assert [list(entry.inside) for entry in before.values()] == [[]]
        assert [len(entry.inside) for entry in after.values()] == [2]

    run(story)


def test_a_node_that_moves_to_another_zone_follows_other_hints() -> None:
    async def story(world: World) -> None:
        await world.service("web", 80)
        await world.slice("web", "10.244.1.2", hints={"forZones": [{"name": "east"}]})
        await world.slice("web", "10.244.1.3", name="web-y", hints={"forZones": [{"name": "west"}]})
        await world.start()
        assert world.rules.now() == {80: ["10.244.1.2"]}
        node = await world.client.get(NODE, "n1")
        node["metadata"]["labels"][ZONE] = "west"
        await world.client.update(NODE, node)
        await clock.sleep(0.1)
        assert world.rules.now() == {80: ["10.244.1.3"]}

    run(story)


def test_health_checks_come_and_go_with_their_services() -> None:
    async def story(world: World) -> None:
        balanced = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
        await world.service("web", 80, **balanced)
        await world.slice("web", "10.244.1.2")
        await world.start()
        await clock.sleep(0.1)
        assert world.rules.checks == {"default/web": Health("default/web", 31000, 1)}
        await world.client.delete(SERVICE, "web", "default")
        await clock.sleep(0.1)
        assert world.rules.checks == {}

    run(story)


def test_of_two_services_with_one_address_the_first_by_name_has_it() -> None:
    front = Front("192.0.2.1", 80)
    entries = {
        name: {front: Entry(name, "", Way.EXTERNAL, (Backend("10.244.1.2", 80),), ())} for name in ("b/web", "a/web")
    }
    assert merged(entries)[front].service == "a/web"
