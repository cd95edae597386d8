"""The service proxy over a real API server: what it has applied follows Services and EndpointSlices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from homeostat.api.kinds import ENDPOINTSLICE, NAMESPACE, SERVICE
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, virtual
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Plan
from homeostat.network.userspace.service_proxy import ServiceProxy
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User

Obj = dict[str, Any]
ADMIN = User("admin", ("system:masters",))


class Applied:
    """Remembers each plan; fronts in `busy` cannot be opened."""

    def __init__(self) -> None:
        self.plans: list[dict[Front, Any]] = []
        self.busy: set[int] = set()
        self.trouble: dict[Front, str] = {}
        self.closed = False

    async def apply(self, plan: Plan) -> None:
        self.plans.append(dict(plan))
        self.trouble = {front: "in use" for front in plan if front.port in self.busy}

    async def close(self) -> None:
        self.closed = True

    def now(self) -> dict[int, list[str]]:
        """The backends of each port, as applied last."""
        return {front.port: [b.address for b in rule.backends] for front, rule in self.plans[-1].items()}


class World:
    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self.rules = Applied()
        self.proxy = ServiceProxy(client, self.rules, {"": "127.0.0.1"})

    async def service(self, name: str, port: int, address: str) -> Obj:
        spec = {"clusterIP": address, "selector": {"app": name}, "ports": [{"port": port, "protocol": "TCP"}]}
        return await self.client.create(SERVICE, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def slice(self, service: str, *addresses: str, name: str = "") -> Obj:
        return await self.client.create(ENDPOINTSLICE, endpoints(name or f"{service}-x", service, *addresses))


def endpoints(name: str, service: str, *addresses: str) -> Obj:
    labels = {"kubernetes.io/service-name": service}
    found = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
    ports = [{"name": "", "port": 8080, "protocol": "TCP"}]
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": found, "ports": ports}


def run_story(story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        store = MemoryStore(MemoryState())
        server = ApiServer(store)
        await store.start()
        await server.start()
        client = ApiClient(InProcessTransport([server.handle], ADMIN))
        await client.create(NAMESPACE, {"metadata": {"name": "default"}})
        world = World(client)
        await story(world)
        await world.proxy.stop()
        assert world.rules.closed
        await server.stop()

    virtual.run(main, seed=1)


def test_what_is_there_is_applied_at_once_and_in_one_plan() -> None:
    async def story(world: World) -> None:
        for number in range(3):
            await world.service(f"s{number}", 80 + number, f"127.11.0.{number + 1}")
            await world.slice(f"s{number}", f"10.0.0.{number + 1}")
        await world.proxy.start()
        await world.proxy.synced.wait()
        assert world.rules.now() == {80: ["10.0.0.1"], 81: ["10.0.0.2"], 82: ["10.0.0.3"]}
        assert len(world.rules.plans) == 1

    run_story(story)


def test_endpoints_that_come_and_go_are_followed() -> None:
    async def story(world: World) -> None:
        await world.service("web", 80, "127.11.0.1")
        await world.proxy.start()
        await world.proxy.synced.wait()
        assert world.rules.now() == {}
        await world.slice("web", "10.0.0.1")
        await clock.sleep(0.1)
        assert world.rules.now() == {80: ["10.0.0.1"]}
        await world.slice("web", "10.0.0.2", name="second")
        await clock.sleep(0.1)
        assert world.rules.now() == {80: ["10.0.0.1", "10.0.0.2"]}
        await world.client.delete(ENDPOINTSLICE, "web-x", "default")
        await clock.sleep(0.1)
        assert world.rules.now() == {80: ["10.0.0.2"]}
        await world.client.delete(SERVICE, "web", "default")
        await clock.sleep(0.1)
        assert world.rules.now() == {}

    run_story(story)


def test_a_slice_that_changes_its_service_leaves_the_old_one() -> None:
    async def story(world: World) -> None:
        await world.service("old", 80, "127.11.0.1")
        await world.service("new", 81, "127.11.0.2")
        made = await world.slice("old", "10.0.0.1")
        await world.proxy.start()
        await world.proxy.synced.wait()
        made["metadata"]["labels"] = {"kubernetes.io/service-name": "new"}
        await world.client.update(ENDPOINTSLICE, made)
        await clock.sleep(0.1)
        assert world.rules.now() == {81: ["10.0.0.1"]}

    run_story(story)


def test_a_port_that_could_not_be_opened_is_tried_again_without_any_event() -> None:
    async def story(world: World) -> None:
        world.rules.busy = {80}
        await world.service("web", 80, "127.11.0.1")
        await world.slice("web", "10.0.0.1")
        await world.proxy.start()
        await world.proxy.synced.wait()
        tried = len(world.rules.plans)
        await clock.sleep(31)
        assert len(world.rules.plans) == tried + 1
        world.rules.busy = set()
        await clock.sleep(31)
        tried = len(world.rules.plans)
        await clock.sleep(300)
        assert len(world.rules.plans) == tried, "nothing is left to try"

    run_story(story)
