"""Cluster addresses and node ports: unique over all servers, released, repaired."""

from __future__ import annotations

import asyncio

from homeostat.kit import clock, virtual
from homeostat.store.memory import MemoryState
from tests.support.api_edge import World, config, start, story

SERVICES = "/api/v1/namespaces/default/services"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"


def service(name, *, ports=(80,), **spec):
    listed = [port if isinstance(port, dict) else {"port": port, "name": f"p{port}"} for port in ports]
    return {"metadata": {"name": name}, "spec": {"ports": listed, **spec}}


async def reserved(w: World) -> dict[str, str]:
    items = (await w.get(ADDRESSES)).obj["items"]
    return {found["metadata"]["name"]: found["spec"]["parentRef"]["name"] for found in items}


async def ports_table(w: World) -> dict[str, str]:
    reply = await w.get("/api/v1/namespaces/kube-system/configmaps/service-node-ports")
    return reply.obj.get("data") or {} if reply.status == 200 else {}


def test_each_service_has_its_own_address_in_the_range():
    async def scenario(w: World) -> None:
        specs = [(await w.make(SERVICES, service(f"s{n}")))["spec"] for n in range(5)]
        addresses = [spec["clusterIP"] for spec in specs]
        assert len(set(addresses)) == 5 and all(a.startswith("127.11.0.") for a in addresses)
        assert specs[0]["clusterIPs"] == [addresses[0]]
        assert (specs[0]["ipFamilies"], specs[0]["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
        held = await reserved(w)
        assert held[addresses[3]] == "s3"

    story(scenario)


def test_headless_and_external_services_have_none():
    async def scenario(w: World) -> None:
        headless = (await w.make(SERVICES, service("h", clusterIP="None")))["spec"]
        assert headless["clusterIPs"] == ["None"]
        external = await w.make(SERVICES, service("e", type="ExternalName", externalName="x.example", ports=()))
        assert "clusterIP" not in external["spec"]
        assert set((await reserved(w)).values()) <= {"kubernetes"}

    story(scenario)


def test_an_address_that_is_asked_for_is_given_once():
    async def scenario(w: World) -> None:
        await w.make(SERVICES, service("a", clusterIP="127.11.0.9"))
        reply = await w.post(SERVICES, service("b", clusterIP="127.11.0.9"))
        assert reply.status == 422
        assert reply.message == (
            'Service "b" is invalid: spec.clusterIPs: Invalid value: ["127.11.0.9"]: '
            "failed to allocate IP 127.11.0.9: provided IP is already allocated"
        )
        reply = await w.post(SERVICES, service("c", clusterIP="10.0.0.1"))
        assert reply.status == 422 and "is not in the valid range" in reply.message

    story(scenario)


def test_an_address_is_free_again_soon_after_its_service_went():
    async def scenario(w: World) -> None:
        await w.make(SERVICES, service("a", clusterIP="127.11.0.9"))
        await clock.sleep(2)
        await w.call("DELETE", f"{SERVICES}/a")
        again = await w.post(SERVICES, service("a", clusterIP="127.11.0.9"))
        assert again.status == 201, "the same Service may have it back at once"
        await clock.sleep(3)
        assert (await reserved(w))["127.11.0.9"] == "a", "a new reservation is not taken for the old one"
        await w.call("DELETE", f"{SERVICES}/a")
        await clock.sleep(2)
        assert "127.11.0.9" not in await reserved(w)
        assert (await w.post(SERVICES, service("b", clusterIP="127.11.0.9"))).status == 201

    story(scenario)


def test_what_a_crash_left_behind_is_given_back_and_what_was_lost_is_taken_again():
    async def scenario(w: World) -> None:
        parent = {"group": "", "resource": "services", "namespace": "default", "name": "never"}
        labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
        await w.make(ADDRESSES, {"metadata": {"name": "127.11.0.77", "labels": labels}, "spec": {"parentRef": parent}})
        held = (await w.make(SERVICES, service("a")))["spec"]["clusterIP"]
        await w.call("DELETE", f"{ADDRESSES}/{held}")
        await clock.sleep(60)
        assert (await reserved(w)).get(held) == "a"
        assert "127.11.0.77" in await reserved(w), "it might belong to a request that is still under way"
        await clock.sleep(90)
        assert "127.11.0.77" not in await reserved(w)

    story(scenario)


def test_a_full_range_says_so():
    async def scenario(w: World) -> None:
        for n in range(5):
            await w.make(SERVICES, service(f"s{n}"))
        reply = await w.post(SERVICES, service("one-too-many"))
        assert reply.status == 500 and "range is full" in reply.message

    story(scenario, service_cluster_ip_range="127.11.0.0/29", settle=2)


def test_node_ports_are_unique_and_kept_over_updates():
    async def scenario(w: World) -> None:
        first = await w.make(SERVICES, service("a", type="NodePort", ports=(80, 443)))
        given = [port["nodePort"] for port in first["spec"]["ports"]]
        assert len(set(given)) == 2 and all(30000 <= port <= 32767 for port in given)
        reply = await w.post(SERVICES, service("b", type="NodePort", ports=({"port": 80, "nodePort": given[0]},)))
        assert reply.status == 422
        assert f"spec.ports[0].nodePort: Invalid value: {given[0]}: provided port is already allocated" in reply.message
        reply = await w.post(SERVICES, service("b", type="NodePort", ports=({"port": 80, "nodePort": 99},)))
        assert "provided port is not in the valid range. The range of valid ports is 30000-32767" in reply.message
        update = {**service("a", type="NodePort", ports=(80, 443)), "metadata": first["metadata"]}
        kept = (await w.call("PUT", f"{SERVICES}/a", update)).obj
        assert [port["nodePort"] for port in kept["spec"]["ports"]] == given
        assert kept["spec"]["clusterIP"] == first["spec"]["clusterIP"]

    story(scenario)


def test_tcp_and_udp_of_one_port_share_a_node_port():
    async def scenario(w: World) -> None:
        both = ({"name": "t", "port": 53, "protocol": "TCP"}, {"name": "u", "port": 53, "protocol": "UDP"})
        made = await w.make(SERVICES, service("dns", type="NodePort", ports=both))
        assert len({port["nodePort"] for port in made["spec"]["ports"]}) == 1

    story(scenario)


def test_a_service_that_stops_being_a_node_port_gives_its_ports_back():
    async def scenario(w: World) -> None:
        made = await w.make(SERVICES, service("a", type="NodePort"))
        await clock.sleep(2)
        assert len(await ports_table(w)) == 1
        made["spec"]["type"] = "ClusterIP"
        changed = (await w.call("PUT", f"{SERVICES}/a", made)).obj
        assert "nodePort" not in changed["spec"]["ports"][0]
        await clock.sleep(2)
        assert await ports_table(w) == {}

    story(scenario)


def test_what_only_dual_stack_has_is_refused_by_name():
    async def scenario(w: World) -> None:
        reply = await w.post(SERVICES, service("a", ipFamilyPolicy="RequireDualStack"))
        assert reply.status == 422 and "this cluster is not configured for dual-stack services" in reply.message
        reply = await w.post(SERVICES, service("a", ipFamilies=["IPv6"]))
        assert 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster' in reply.message

    story(scenario)


def test_three_servers_never_give_the_same_address_or_port_twice():
    async def main() -> None:
        state = MemoryState()
        settings = [config(advertise_port=6443 + n, service_node_port_range="30000-30099") for n in range(3)]
        servers = [await start(state, each) for each in settings]
        worlds = [World(server) for server in servers]
        await clock.sleep(3)
        made = await asyncio.gather(
            *(worlds[n % 3].make(SERVICES, service(f"s{n}", type="NodePort")) for n in range(60))
        )
        assert len({found["spec"]["clusterIP"] for found in made}) == 60
        assert len({found["spec"]["ports"][0]["nodePort"] for found in made}) == 60
        await clock.sleep(120)
        held = await reserved(worlds[1])
        assert len(held) == 61 and len(await ports_table(worlds[2])) == 60
        for n in range(60):
            await worlds[(n + 1) % 3].call("DELETE", f"{SERVICES}/s{n}")
        await clock.sleep(3)
        assert set((await reserved(worlds[0])).values()) == {"kubernetes"}
        assert await ports_table(worlds[0]) == {}
        for server in servers:
            await server.stop()

    virtual.run(main, seed=7)


def test_a_balancer_that_keeps_traffic_on_its_nodes_gets_a_port_for_health_checks():
    async def scenario(w: World) -> None:
        made = await w.make(SERVICES, service("a", type="LoadBalancer", externalTrafficPolicy="Local"))
        health = made["spec"]["healthCheckNodePort"]
        assert 30000 <= health <= 32767 and health != made["spec"]["ports"][0]["nodePort"]
        assert (await ports_table(w))[str(health)].startswith("default/a ")
        again = await w.call("PUT", f"{SERVICES}/a", made)
        assert again.obj["spec"]["healthCheckNodePort"] == health
        # It is released with the policy that needs it.
        made = again.obj
        made["spec"]["externalTrafficPolicy"] = "Cluster"
        changed = await w.call("PUT", f"{SERVICES}/a", made)
        assert changed.status == 200 and "healthCheckNodePort" not in changed.obj["spec"]

    story(scenario)


def test_a_health_check_port_that_is_asked_for_is_given_once_and_within_the_range():
    async def scenario(w: World) -> None:
        local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
        made = await w.make(SERVICES, service("a", **local, healthCheckNodePort=31234))
        assert made["spec"]["healthCheckNodePort"] == 31234
        taken = await w.post(SERVICES, service("b", **local, healthCheckNodePort=31234))
        assert taken.status == 500 and taken.message.endswith(
            "failed to allocate requested HealthCheck NodePort 31234: provided port is already allocated"
        )
        outside = await w.post(SERVICES, service("c", **local, healthCheckNodePort=80))
        assert outside.status == 500 and "not in the valid range" in outside.message

    story(scenario)
