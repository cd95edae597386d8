"""nodes, pods and services `/proxy` with real connections, as kube-apiserver's UpgradeAwareHandler has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.apiserver.path.routing import Routes, split_proxied
from homeostat.apiserver.subresources.proxy import Place, place_of
from homeostat.client.direct import ask_through
from homeostat.wire.fields import json_response, split_target
from homeostat.wire.http_server import Server, serve
from homeostat.wire.message import Request, Response
from tests.support.api_edge import rule
from tests.support.api_site import Site, story

ROUTES = Routes(Catalogue.builtin())
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


async def backend(request: Request) -> Response:
    """A web server in a Pod: says what it was asked."""
    match request.path:
        case "/moved":
            return Response(302, b"", {"location": "/elsewhere?x=1"})
        case "/away":
            return Response(302, b"", {"location": "http://example.org/"})
        case "/page":
            return Response(
                200, page(), {"content-type": "text/html; charset=utf-8", "access-control-allow-origin": "*"}
            )
        case "/broken":
            return Response(500, b"broken", {"content-type": "text/plain", "x-own": "1"})
        case "/ticks":
            return Response(200, ticks(), {"content-type": "text/plain"})
        case "/shout":
            return Response(101, b"", {"connection": "Upgrade", "upgrade": "shout"}, upgrade=shout)
    reply = {"method": request.method, "target": request.target.decode(), "headers": dict(request.headers)}
    return json_response(200, reply | {"body": request.body.decode()})


async def page() -> Any:
    for piece in (b"<a hre", b'f="/next"', b">on</a>"):
        yield piece
        await asyncio.sleep(0)


async def ticks() -> Any:
    for number in range(3):
        yield f"tick {number}\n".encode()
        await asyncio.sleep(0)


async def shout(duplex: Any) -> None:
    while data := await duplex.read():
        duplex.write(data.upper())


def proxied(test: Callable[[Site, Server], Any]) -> None:
    """`test(site, server)`: the Pod `web`, and a Service before it, are `server`, at an address like a lab's Pod's."""

    async def scenario(site: Site) -> None:
        server = await serve(backend, host="127.9.9.9")
        try:
            await put_behind(site, server.port)
            await test(site, server)
        finally:
            await server.close(grace_seconds=0)

    story(scenario, dial_endpoint=ask_through, dial_kubelet=lambda node: backend, loopback_nodes=True)


async def put_behind(site: Site, port: int) -> None:
    world = site.world
    ports = [{"name": "http", "containerPort": port}]
    container = {"name": "app", "image": "none", "ports": ports}
    pod = await world.make(PODS, {"metadata": {"name": "web"}, "spec": {"containers": [container]}})
    pod["status"] = {"phase": "Running", "podIP": "127.9.9.9", "podIPs": [{"ip": "127.9.9.9"}]}
    assert (await world.call("PUT", f"{PODS}/web/status", pod)).status == 200
    spec = {"ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    for name in ("web", "idle"):
        await world.make(SERVICES, {"metadata": {"name": name}, "spec": spec})
    subsets = [{"addresses": [{"ip": "127.9.9.9"}], "ports": [{"name": "http", "port": port}]}]
    await world.make("/api/v1/namespaces/default/endpoints", {"metadata": {"name": "web"}, "subsets": subsets})
    await world.make("/api/v1/nodes", {"metadata": {"name": "n1"}})


def test_a_request_goes_through_as_it_is_and_says_which_way_it_came():
    async def scenario(site: Site, server: Server) -> None:
        target = f"{PODS}/web/proxy/a%2Fb/c?x=1&x=2&y=%20"
        caller = await site.call("POST", target, "X-Own: yes", "Content-Type: text/plain", body=b"hello")
        status, headers, body = await caller.answer()
        reply = orjson.loads(body)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert (reply["method"], reply["target"], reply["body"]) == ("POST", "/a%2Fb/c?x=1&x=2&y=%20", "hello")
        assert reply["headers"]["x-own"] == "yes" and reply["headers"]["x-forwarded-host"] == "api"
        assert reply["headers"]["x-forwarded-uri"].startswith(f"{PODS}/web/proxy/")
        assert reply["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert reply["headers"]["host"] == f"127.9.9.9:{server.port}"
        assert "authorization" not in reply["headers"], "the client's identity is for the API server alone"

    proxied(scenario)


@pytest.mark.parametrize("name", ["web", "web:http", "web:80", "http:web:http"])
def test_a_service_is_reached_by_its_ports_name_or_number(name: str):
    async def scenario(site: Site, server: Server) -> None:
        status, _, body = await (await site.call("GET", f"{SERVICES}/{name}/proxy/x")).answer()
        # A Service with one named port is asked for by that name; without one there is no such endpoint.
        assert status == (503 if name == "web" else 200)
        if status == 200:
            assert orjson.loads(body)["target"] == "/x"

    proxied(scenario)


def test_what_cannot_be_reached_is_refused_in_kubernetes_words():
    async def scenario(site: Site, server: Server) -> None:
        for path, code, words in (
            (f"{SERVICES}/idle:http/proxy/", 503, 'no endpoints available for service "idle"'),
            (f"{SERVICES}/web:81/proxy/", 503, 'no service port 81 found for service "web"'),
            (f"{SERVICES}/none/proxy/", 404, 'services "none" not found'),
            (f"{PODS}/none/proxy/", 404, 'pods "none" not found'),
            (f"{PODS}/ftp:web:21/proxy/", 400, 'invalid name "ftp:web:21"'),
            (f"{PODS}/web:1/proxy/", 503, "error trying to reach service"),
            ("/api/v1/nodes/none/proxy/", 404, 'nodes "none" not found'),
            ("/api/v1/nodes/n1:9100/proxy/", 400, "address not allowed"),
        ):
            status = await (await site.call("GET", path)).status()
            assert (status["code"], words in status["message"]) == (code, True), (path, status)

    proxied(scenario)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.1.1", "0.0.0.0", "224.0.0.1", ""])
def test_addresses_that_mean_the_server_itself_are_not_proxied_to(address: str):
    """proxyutil.IsProxyableIP: else whoever writes a Pod's status reads what only the API server's machine may."""

    async def scenario(site: Site, server: Server) -> None:
        pod = (await site.world.get(f"{PODS}/web")).obj
        pod["status"] = {"phase": "Running"} | ({"podIP": address, "podIPs": [{"ip": address}]} if address else {})
        assert (await site.world.call("PUT", f"{PODS}/web/status", pod)).status == 200
        status = await (await site.call("GET", f"{PODS}/web/proxy/")).status()
        assert (status["code"], status["message"]) == (400, "address not allowed")

    proxied(scenario)


def test_answers_come_as_they_are_in_pieces_and_redirects_stay_inside():
    async def scenario(site: Site, server: Server) -> None:
        base = f"{PODS}/web/proxy"
        answers = {path: await (await site.call("GET", base + path)).answer() for path in ("/broken", "/ticks")}
        assert answers["/broken"][0::2] == (500, b"broken") and answers["/broken"][1]["x-own"] == "1"
        assert answers["/ticks"][2] == b"tick 0\ntick 1\ntick 2\n"
        status, headers, _ = await (await site.call("GET", f"{base}/moved")).answer()
        assert (status, headers["location"]) == (302, f"{base}/elsewhere?x=1")
        assert (await (await site.call("GET", f"{base}/away")).answer())[1]["location"] == "http://example.org/"
        status, headers, _ = await (await site.call("GET", f"{base}?a=1")).answer()
        assert (status, headers["location"]) == (301, f"{base}/?a=1"), "relative links need the slash (issue 4958)"
        assert (await (await site.call("GET", f"{base}/")).answer())[0] == 200

    proxied(scenario)


def test_an_upgrade_goes_through_a_service():
    async def scenario(site: Site, server: Server) -> None:
        caller = await site.call("GET", f"{SERVICES}/web:80/proxy/shout", "Connection: Upgrade", "Upgrade: shout")
        status, headers = await caller.head()
        assert (status, headers["upgrade"]) == (101, "shout")
        caller.writer.write(b"loud")
        assert await caller.reader.readexactly(4) == b"LOUD"
        caller.writer.close()
        while server.connections:
            await asyncio.sleep(0.005)

    proxied(scenario)


def test_a_nodes_kubelet_is_reached_by_the_nodes_name():
    async def scenario(site: Site, server: Server) -> None:
        status, _, body = await (await site.call("GET", "/api/v1/nodes/n1/proxy/metrics?watch=true")).answer()
        assert (status, orjson.loads(body)["target"]) == (200, "/metrics?watch=true")

    proxied(scenario)


def test_a_proxys_verbs_are_those_of_its_methods():
    """RBAC sees `get` for a GET, whatever parameters it has for the other side, `create` for a POST."""

    async def scenario(site: Site, server: Server) -> None:
        rules = [rule("get", "pods/proxy")]
        await site.world.make(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "r"}, "rules": rules}
        )
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}
        bound = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [subject]}
        await site.world.make("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", bound)
        path = f"{PODS}/web/proxy/x/y?watch=true"
        assert (await (await site.call("GET", path, token="eve")).answer())[0] == 200
        assert (await (await site.call("HEAD", path, token="eve")).head())[0] == 200
        status = await (await site.call("POST", path, token="eve")).status()
        assert status["code"] == 403 and 'cannot create resource "pods/proxy"' in status["message"]

    proxied(scenario)


def test_names_and_targets_are_taken_apart():
    assert place_of("web") == Place("http", "web", "")
    assert place_of("web:80") == Place("http", "web", "80")
    assert place_of("https:web:") == Place("https", "web", "")
    for wrong in ("", "a:b:c", "http:a:b:c", ":80"):
        with pytest.raises(ApiError):
            place_of(wrong)


@pytest.mark.parametrize(
    ("target", "before", "rest"),
    [
        (b"/api/v1/nodes/n1/proxy", b"/api/v1/nodes/n1/proxy", b""),
        (b"/api/v1/nodes/n1%3A1/proxy?q=/", b"/api/v1/nodes/n1%3A1/proxy", b"?q=/"),
        (b"/api/v1/nodes/n1/proxy//x/%2F?a", b"/api/v1/nodes/n1/proxy", b"//x/%2F?a"),
        (b"/api/v1%2fnodes/n1%2Fproxy/x%0ay;z", b"/api/v1%2fnodes/n1%2Fproxy", b"/x%0ay;z"),
        (b"/api/v1/nodes/n1/proxy%2Fx", b"/api/v1/nodes/n1/proxy", b"/x"),
        (b"/api/v1/nodes/n1/proxy/a/../b/%2e/c%2F%2E%2e", b"/api/v1/nodes/n1/proxy", b"/b/"),
        (b"/api/v1/nodes/n1/proxy/../..%2f../x?y=/../z", b"/api/v1/nodes/n1/proxy", b"/x?y=/../z"),
        (b"/api/v1/nodes/n1/proxy/..", b"/api/v1/nodes/n1/proxy", b"/"),
        (b"//api/v1/namespaces/a/pods/b/proxy/.c/..d", b"//api/v1/namespaces/a/pods/b/proxy", b"/.c/..d"),
    ],
)
def test_what_is_proxied_is_found_by_the_rule_that_decided_the_request(target: bytes, before: bytes, rest: bytes):
    path, query = split_target(target)
    request = Request("GET", path, query, target=target)
    assert split_proxied(request, ROUTES.decide(request)) == (before, rest)


def test_a_target_that_is_not_the_decided_one_is_not_passed_on():
    with pytest.raises(ApiError):
        request = Request("GET", "/api/v1/nodes/n1/proxy/x", target=b"/api/v1/nodes/n2/proxy/x")
        split_proxied(request, ROUTES.decide(request))


def test_links_of_a_page_stay_inside_and_any_of_kubernetes_methods_goes_through():
    async def scenario(site: Site, server: Server) -> None:
        base = f"{PODS}/web/proxy"
        status, headers, body = await (await site.call("GET", f"{base}/page")).answer()
        assert (status, body.decode()) == (200, f'<a href="{base}/next">on</a>')
        assert "access-control-allow-origin" not in headers
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for path in (f"{base}/x", f"{SERVICES}/web:80/proxy/x", "/api/v1/nodes/n1/proxy/x"):
                status, _, body = await (await site.call(method, path)).answer()
                assert (status, orjson.loads(body)["method"]) == (200, method)

    proxied(scenario)


def test_line_breaks_reach_nobody_as_such():
    async def scenario(site: Site, server: Server) -> None:
        for tail in ("/a%0d%0aX-Evil:%201", "/%0a", "/x?y=%0d%0a"):
            status, _, body = await (await site.call("GET", f"{PODS}/web/proxy{tail}")).answer()
            reply = orjson.loads(body)
            assert (status, reply["target"]) == (200, tail)
            assert "x-evil" not in reply["headers"]
        for name in ("web:80%0d%0aX-Evil:%201", "web:%C2%B2", "https:web:8%200", "web:x"):
            for where in (PODS, SERVICES):
                assert (await (await site.call("GET", f"{where}/{name}/proxy/")).status())["code"] in (400, 503)

    proxied(scenario)
