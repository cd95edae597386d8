"""What every cluster has: namespaces, roles, priority classes, and the API servers as endpoints of their Service."""

from __future__ import annotations

from homeostat.kit import clock, virtual
from homeostat.store.memory import MemoryState
from tests.support.api_edge import World, config, start, story

ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


async def addresses(w: World) -> set[tuple[str, int]]:
    subsets = (await w.get(ENDPOINTS)).obj.get("subsets") or []
    whole = {(found["ip"], subset["ports"][0]["port"]) for subset in subsets for found in subset["addresses"]}
    slices = (await w.get(SLICES)).obj["items"]
    sliced = {
        (address, found["ports"][0]["port"])
        for found in slices
        for endpoint in found["endpoints"]
        for address in endpoint["addresses"]
    }
    assert sliced == whole
    return whole


def test_a_fresh_cluster_has_its_first_objects():
    async def scenario(w: World) -> None:
        names = {found["metadata"]["name"] for found in (await w.get("/api/v1/namespaces")).obj["items"]}
        assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
        role = (await w.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin")).obj
        assert role["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
        critical = (await w.get("/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical")).obj
        assert critical["value"] == 2_000_001_000
        service = (await w.get("/api/v1/namespaces/default/services/kubernetes")).obj
        assert service["spec"]["clusterIP"] == "127.11.0.1"
        assert await addresses(w) == {("127.0.0.1", 6443)}

    story(scenario)


def test_a_second_start_changes_nothing_and_restores_what_was_taken():
    async def main() -> None:
        state = MemoryState()
        first = await start(state, config())
        await clock.sleep(2)
        w = World(first)
        role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic-user"
        wanted = (await w.get(role)).obj["rules"]
        view = (await w.get(role.replace("basic-user", "discovery"))).obj["metadata"]["resourceVersion"]
        await w.call("PUT", role, {**(await w.get(role)).obj, "rules": wanted[:1]})
        await w.call("DELETE", role.replace("basic-user", "monitoring"))
        await first.stop()
        second = await start(state, config())
        await clock.sleep(2)
        w = World(second)
        assert (await w.get(role)).obj["rules"] == wanted
        assert (await w.get(role.replace("basic-user", "monitoring"))).status == 200
        assert (await w.get(role.replace("basic-user", "discovery"))).obj["metadata"]["resourceVersion"] == view
        await second.stop()

    virtual.run(main, seed=1)


def test_a_dead_server_leaves_the_endpoints_within_half_a_minute():
    async def main() -> None:
        state = MemoryState()
        servers = [await start(state, config(advertise_host=f"127.0.1.{n}")) for n in range(1, 4)]
        await clock.sleep(7)
        w = World(servers[0])
        everybody = {(f"127.0.1.{n}", 6443) for n in range(1, 4)}
        assert await addresses(w) == everybody
        await servers[2].stop()
        await clock.sleep(9)
        assert await addresses(w) == everybody, "a pause is not a death"
        await clock.sleep(15)
        assert await addresses(w) == everybody - {("127.0.1.3", 6443)}
        again = await start(state, config(advertise_host="127.0.1.3"))
        await clock.sleep(7)
        assert await addresses(w) == everybody
        for server in (*servers[:2], again):
            await server.stop()

    virtual.run(main, seed=1)


def test_servers_on_one_address_are_distinguished_by_their_ports():
    async def main() -> None:
        state = MemoryState()
        servers = [await start(state, config(advertise_port=6443 + n)) for n in range(2)]
        await clock.sleep(7)
        assert await addresses(World(servers[0])) == {("127.0.0.1", 6443), ("127.0.0.1", 6444)}
        await servers[1].stop()
        await clock.sleep(25)
        assert await addresses(World(servers[0])) == {("127.0.0.1", 6443)}
        await servers[0].stop()

    virtual.run(main, seed=1)
