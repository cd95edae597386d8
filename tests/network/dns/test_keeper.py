"""The zone over a real API server: it follows Services, EndpointSlices, namespaces and Pods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from homeostat.api.kinds import ENDPOINTSLICE, NAMESPACE, POD, SERVICE
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, virtual
from homeostat.network.dns import records
from homeostat.network.dns.zone import Zone
from homeostat.network.dns.zone_keeper import ZoneKeeper
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User
from tests.network.dns.building import DNS_ADDRESS, endpoint, piece, service

Obj = dict[str, Any]
ADMIN = User("admin", ("system:masters",))
# More than an event takes from the server to the zone.
_SETTLE_SECONDS = 0.1


class World:
    def __init__(self, client: ApiClient, *, verify_pods: bool) -> None:
        self.client = client
        self.zone = Zone("cluster.local", DNS_ADDRESS, verify_pods=verify_pods)
        self.keeper = ZoneKeeper(client, self.zone, verify_pods=verify_pods)

    async def start(self) -> None:
        self.keeper.start()
        await self.keeper.synced.wait()

    def ask(self, name: str, kind: int = records.A) -> list[object] | str:
        answer = self.zone.answer(records.labels_of(f"{name}.cluster.local"), kind)
        assert answer is not None
        return "NXDOMAIN" if answer.rcode == records.NXDOMAIN else [record.data for record in answer.records]

    async def settle(self) -> None:
        await clock.sleep(_SETTLE_SECONDS)


def run(story: Callable[[World], Awaitable[None]], *, verify_pods: bool = False) -> None:
    async def main() -> None:
        store = MemoryStore(MemoryState())
        server = ApiServer(store)
        await store.start()
        await server.start()
        client = ApiClient(InProcessTransport([server.handle], ADMIN))
        for name in ("default", "kube-system"):
            await client.create(NAMESPACE, {"metadata": {"name": name}})
        world = World(client, verify_pods=verify_pods)
        await story(world)
        await world.keeper.stop()
        await server.stop()

    virtual.run(main, seed=1)


def pod(name: str, address: str, phase: str = "Running", **spec: Any) -> Obj:
    spec = {"containers": [{"name": "main", "image": "app"}], **spec}
    status = {"phase": phase, "podIP": address, "podIPs": [{"ip": address}]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": status}


def test_names_come_and_go_with_services_and_endpoints() -> None:
    async def story(world: World) -> None:
        await world.client.create(SERVICE, service("default/web", "10.96.0.5", ("http", 80)))
        await world.client.create(SERVICE, service("default/pets", "None", ("http", 80)))
        first = await world.client.create(ENDPOINTSLICE, piece("default/pets", endpoint("10.244.1.1", "cat")))
        await world.start()
        assert world.ask("web.default.svc") == ["10.96.0.5"]
        assert world.ask("cat.pets.default.svc") == ["10.244.1.1"]
        await world.client.create(ENDPOINTSLICE, piece("default/pets", endpoint("10.244.1.2"), number=1))
        await world.settle()
        assert world.ask("pets.default.svc") == ["10.244.1.1", "10.244.1.2"]
        first["endpoints"][0]["conditions"]["ready"] = False
        await world.client.update(ENDPOINTSLICE, first)
        await world.settle()
        assert world.ask("pets.default.svc") == ["10.244.1.2"]
        await world.client.delete(ENDPOINTSLICE, "pets-1", "default")
        await world.settle()
        assert world.ask("pets.default.svc") == "NXDOMAIN"
        await world.client.delete(SERVICE, "web", "default")
        await world.settle()
        assert world.ask("web.default.svc") == "NXDOMAIN"

    run(story)


def test_endpoints_that_come_before_their_service_are_not_lost() -> None:
    """Two watches: nothing says which of them is the quicker one."""

    async def story(world: World) -> None:
        await world.start()
        await world.client.create(ENDPOINTSLICE, piece("default/pets", endpoint("10.244.1.1")))
        await world.settle()
        assert world.ask("pets.default.svc") == "NXDOMAIN"
        await world.client.create(SERVICE, service("default/pets"))
        await world.settle()
        assert world.ask("pets.default.svc") == ["10.244.1.1"]

    run(story)


def test_a_slice_that_changes_its_service_leaves_the_old_one() -> None:
    async def story(world: World) -> None:
        for name in ("a", "b"):
            await world.client.create(SERVICE, service(f"default/{name}"))
        moved = await world.client.create(ENDPOINTSLICE, piece("default/a", endpoint("10.244.1.1")))
        await world.start()
        moved["metadata"]["labels"] = {"kubernetes.io/service-name": "b"}
        await world.client.update(ENDPOINTSLICE, moved)
        await world.settle()
        assert world.ask("a.default.svc") == "NXDOMAIN"
        assert world.ask("b.default.svc") == ["10.244.1.1"]

    run(story)


def test_a_namespace_is_a_name_while_it_is_there() -> None:
    async def story(world: World) -> None:
        await world.start()
        assert world.ask("10-0-0-1.lab.pod") == world.ask("lab.svc") == "NXDOMAIN"
        await world.client.create(NAMESPACE, {"metadata": {"name": "lab"}})
        await world.settle()
        assert world.ask("10-0-0-1.lab.pod") == ["10.0.0.1"]
        assert world.ask("lab.svc") == []

    run(story)


def test_the_cluster_is_known_by_the_uid_of_kube_system() -> None:
    async def story(world: World) -> None:
        await world.start()
        uid = (await world.client.get(NAMESPACE, "kube-system"))["metadata"]["uid"]
        assert world.zone.identity == uid
        assert world.ask("cluster-id.dns", records.TXT) == [uid]

    run(story)


def test_verified_pods_are_known_while_they_run() -> None:
    """CoreDNS, `pods verified`: an ended Pod's address may already be another's."""

    async def story(world: World) -> None:
        created = await world.client.create(POD, pod("a", "10.244.1.1"))
        created["status"] = pod("a", "10.244.1.1")["status"]
        await world.client.update(POD, created, subresource="status")
        await world.start()
        assert world.ask("10-244-1-1.default.pod") == ["10.244.1.1"]
        assert world.ask("10-244-1-2.default.pod") == "NXDOMAIN"
        ended = await world.client.get(POD, "a", "default")
        ended["status"]["phase"] = "Succeeded"
        await world.client.update(POD, ended, subresource="status")
        await world.settle()
        assert world.ask("10-244-1-1.default.pod") == "NXDOMAIN"

    run(story, verify_pods=True)


def test_nothing_is_kept_that_dns_does_not_need() -> None:
    """Every server of a large cluster holds all Services and endpoints: their texts must stay small."""

    async def story(world: World) -> None:
        many = piece("default/pets", {**endpoint("10.244.1.1", "cat"), "nodeName": "n1", "zone": "east"})
        await world.client.create(SERVICE, service("default/pets", "None", ("http", 80), selector={"app": "pets"}))
        await world.client.create(ENDPOINTSLICE, many)
        await world.start()
        (kept,) = world.keeper._slices.objects.list()
        assert set(kept["endpoints"][0]) == {"addresses", "conditions", "hostname"}
        (headless,) = world.keeper._services.objects.list()
        assert "selector" not in headless["spec"]

    run(story)
