"""What anybody can do to a server's edge, and a Pod's owner by what its status says: over real sockets."""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest
import uvloop

from homeostat.wire import pki
from homeostat.wire.fields import text_response
from homeostat.wire.http_server import Server, serve
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response
from homeostat.wire.tls import server_context
from tests.support.api_site import Site, story

PODS = "/api/v1/namespaces/default/pods"
SECONDS_MAX = 20.0


async def answer(request: Request) -> Response:
    return text_response(200, "ok")


def with_tls(folder: Path, limits: Limits, test: Callable[[Server], Awaitable[None]]) -> None:
    """`test(server)`, a server with TLS on the event loop that processes use."""
    authority = pki.make_authority("edge")
    pair = pki.issue(authority, "edge", names=["localhost"], server=True)
    (folder / "crt").write_bytes(pair.certificate)
    (folder / "key").write_bytes(pair.key)

    async def main() -> None:
        server = await serve(answer, tls=server_context(folder / "crt", folder / "key"), limits=limits)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await test(server)
        finally:
            await server.close(grace_seconds=0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def client() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_headers_that_trickle_in_hold_a_tls_connection_no_longer_than_their_time(tmp_path: Path) -> None:
    """Nor does a client that does not take part in the end of TLS: it keeps sending, and reads nothing."""
    limits = Limits(header_seconds=0.5, linger_seconds=0.2)

    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client())
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while server.connections:
            writer.write(b"y")
            await asyncio.sleep(0.02)
        # Their time, the end of TLS, and as much again for a busy machine; it was 30 s more.
        assert loop.time() - begun < 10
        writer.transport.abort()

    with_tls(tmp_path, limits, scenario)


@pytest.mark.parametrize(
    ("ciphers", "taken"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA256", False),
        ("ECDHE-ECDSA-AES256-SHA384", False),
        ("ECDHE-ECDSA-AES128-SHA", False),
        ("ECDHE-ECDSA-AES256-CCM", False),
    ],
)
def test_only_authenticated_encryption_is_spoken(tmp_path: Path, ciphers: str, *, taken: bool) -> None:
    async def scenario(server: Server) -> None:
        context = client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        except (ssl.SSLError, ConnectionError):
            assert not taken
        else:
            assert taken
            writer.transport.abort()

    with_tls(tmp_path, Limits(), scenario)


def test_connections_leave_files_for_all_else() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert Limits(connections_max=10).connections_allowed == min(10, soft * 4 // 5)
    assert Limits(connections_max=soft * 2).connections_allowed == soft * 4 // 5


async def secret(origin: str, request: Request) -> Response:
    raise AssertionError(f"{origin} was asked")


@pytest.mark.parametrize(
    "address", ["::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "::", "127.9.9.9", "fe80::1"]
)
@pytest.mark.parametrize("what", ["pods/web", "pods/https:web:6443", "services/web:api"])
def test_no_form_of_the_servers_own_address_is_proxied_to(what: str, address: str) -> None:
    """Whoever writes a Pod's status or an Endpoints must not read what only the API server's machine may."""

    async def scenario(site: Site) -> None:
        world = site.world
        pod = await world.make(
            PODS, {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
        )
        pod["status"] = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        await world.call("PUT", f"{PODS}/web/status", pod)
        ports = [{"name": "api", "port": 80}]
        await world.make("/api/v1/namespaces/default/services", {"metadata": {"name": "web"}, "spec": {"ports": ports}})
        subsets = [{"addresses": [{"ip": address}], "ports": [{"name": "api", "port": 6443}]}]
        endpoints = {"metadata": {"name": "web"}, "subsets": subsets}
        await world.post("/api/v1/namespaces/default/endpoints", endpoints)
        status = await (await site.call("GET", f"/api/v1/namespaces/default/{what}/proxy/")).status()
        assert status["code"] in (400, 503), status

    story(scenario, dial_endpoint=secret)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "localhost", "0", "169.254.169.254"])
def test_no_agent_leads_the_server_to_itself_by_its_nodes_address(address: str) -> None:
    async def scenario(site: Site) -> None:
        world = site.world
        node = await world.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        node["status"] = {"addresses": [{"type": "InternalIP", "address": address}]}
        assert (await world.call("PUT", "/api/v1/nodes/n1/status", node)).status == 200
        container = [{"name": "a", "image": "b"}]
        await world.make(PODS, {"metadata": {"name": "web"}, "spec": {"nodeName": "n1", "containers": container}})
        upgrade = ("Connection: Upgrade", "Upgrade: SPDY/3.1")
        for path in (
            "/api/v1/nodes/n1/proxy/",
            "/api/v1/nodes/n1:80/proxy/",
            f"{PODS}/web/log",
            f"{PODS}/web/exec?command=x",
        ):
            status = await (await site.call("GET", path, *upgrade)).status()
            assert (status["code"], status["message"]) == (400, "address not allowed"), path

    story(scenario, dial_kubelet=lambda node: answer)


@pytest.mark.parametrize("seconds", ["-5", "-9223372036854775808"])
def test_a_watch_with_a_time_in_the_past_ends(seconds: str) -> None:
    async def scenario(site: Site) -> None:
        caller = await site.call("GET", f"{PODS}?watch=true&timeoutSeconds={seconds}")
        status, _, body = await caller.answer()
        assert (status, body) == (200, b"")
        wrong = await (await site.call("GET", f"{PODS}?watch=true&timeoutSeconds=1e9")).status()
        assert wrong["code"] == 400

    story(scenario)


@pytest.mark.parametrize("query", ["limit=nan", "limit=inf", "since=nan", "after=-inf", "limit=x"])
def test_a_journal_is_asked_for_numbers(query: str) -> None:
    async def scenario(site: Site) -> None:
        assert (await (await site.call("GET", f"/homeostat/journal?{query}")).status())["code"] == 400
        _, _, body = await (await site.call("GET", "/homeostat/journal?limit=-3")).answer()
        assert len(orjson.loads(body)["items"]) <= 200

    story(scenario)
