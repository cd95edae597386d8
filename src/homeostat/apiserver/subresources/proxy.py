"""nodes, pods and services `/proxy`: plain HTTP (and upgrades) through the API server to a kubelet, a Pod, a Service.

A name is `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. Rules: apimachinery's SplitSchemeNamePort, the registries'
ResourceLocation, apiserver's UpgradeAwareHandler.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from homeostat.api import errors, kinds, reachable
from homeostat.api.rules.ports import port_name
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Call
from homeostat.apiserver.path.routing import split_proxied
from homeostat.apiserver.subresources import links
from homeostat.apiserver.subresources.log import KubeletDialer
from homeostat.client.contract import Unreachable
from homeostat.kit import chance
from homeostat.wire.fields import is_upgrade
from homeostat.wire.message import Request, Response

# Performs a request at a URL, whose certificate need not be known; its answer comes in pieces.
EndpointDialer: TypeAlias = Callable[[str, Request], Awaitable[Response]]

_SCHEMES = ("", "http", "https")
# Headers between two neighbours (RFC 9110, 7.6.1), and those that speak of the client's own connection to us.
_HOPS = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OURS = frozenset(("authorization", "host"))
# What an answer says of its sender's own connection, and of who may read it: that is not the backend's to say here.
_NOT_BACK = frozenset(
    ("date", *(f"access-control-allow-{what}" for what in ("credentials", "headers", "methods", "origin")))
)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A name as the URL has it."""

    scheme: str
    name: str
    port: str


def place_of(text: str) -> Place:
    """The parts of `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. Raises 400."""
    parts = text.split(":")
    scheme, name, port = ("", *parts, "")[:3] if len(parts) < 3 else parts[:3]
    if len(parts) > 3 or not name or scheme not in _SCHEMES:
        raise errors.bad_request(f'invalid name "{text}"')
    return Place(scheme or "http", name, port)


class Proxies:
    """Passes requests on: to kubelets over `kubelet`, to all others over `endpoint`; with `loopback` also to Pods that
    have addresses of 127.0.0.0/8, as plain processes of a lab do."""

    def __init__(self, kubelet: KubeletDialer, endpoint: EndpointDialer, *, loopback: bool) -> None:
        self._kubelet = kubelet
        self._endpoint = endpoint
        self._loopback = loopback

    async def node(self, call: Call) -> Response:
        """nodes/NAME/proxy: the kubelet, or (with a port that is not the kubelet's) a server of the node."""
        place = place_of(call.info.name)
        node = call.reader.get(kinds.NODE, "", place.name)
        if node is None:
            raise errors.not_found("nodes", "", place.name)
        status = node.get("status") or {}
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
        if place.port in ("", str(port)):
            return await self._pass(call, self._kubelet(node))
        addresses = [entry["address"] for entry in status.get("addresses") or () if entry["type"] == "InternalIP"]
        return await self._to(call, place.scheme, addresses[0] if addresses else "", place.port)

    async def pod(self, call: Call) -> Response:
        """pods/NAME/proxy: a port of the Pod, by default the first one that a container names."""
        place = place_of(call.info.name)
        pod = call.reader.get(kinds.POD, call.info.namespace, place.name)
        if pod is None:
            raise errors.not_found("pods", "", place.name)
        port = place.port or next((str(port) for port in _container_ports(pod)), "")
        return await self._to(call, place.scheme, (pod.get("status") or {}).get("podIP") or "", port)

    async def service(self, call: Call) -> Response:
        """services/NAME/proxy: one of the Service's ready endpoints, at a port given by name or number."""
        place, namespace = place_of(call.info.name), call.info.namespace
        service = call.reader.get(kinds.SERVICE, namespace, place.name)
        if service is None:
            raise errors.not_found("services", "", place.name)
        wanted = _port_name(service, place)
        endpoints = call.reader.get(kinds.ENDPOINTS, namespace, place.name) or {}
        found = [
            (address["ip"], str(port["port"]))
            for subset in endpoints.get("subsets") or ()
            for port in subset.get("ports") or ()
            if port_name(port) == wanted
            for address in subset.get("addresses") or ()
        ]
        if not found:
            raise errors.unavailable(f'no endpoints available for service "{place.name}"')
        return await self._to(call, place.scheme, *chance.choice(found))

    async def _to(self, call: Call, scheme: str, host: str, port: str) -> Response:
        address = reachable.address_of(host)
        if address is None or not reachable.is_global(address, loopback=self._loopback):
            raise errors.bad_request("address not allowed")
        if port and not _PORT.fullmatch(port):
            raise errors.unavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
        where = (f"[{address}]" if address.version == 6 else str(address)) + (f":{port}" if port else "")
        return await self._pass(call, lambda request: self._endpoint(f"{scheme}://{where}", request), where)

    async def _pass(self, call: Call, ask: Callable[[Request], Awaitable[Response]], behind: str = "") -> Response:
        request = call.request
        before, rest = split_proxied(request, call.info)
        if not rest.startswith(b"/") and request.method in ("GET", "HEAD"):
            # A page's relative links need the slash.
            return Response(301, b"", {"location": (before + b"/" + rest).decode("latin-1")})
        rest = rest if rest.startswith(b"/") else b"/" + rest
        path, prefix = rest.partition(b"?")[0].decode("latin-1"), before.decode("latin-1")
        headers = _passed_on(request, prefix + path)
        passed = Request(request.method, path, request.query, headers, request.body, call.user)
        passed.target = rest
        try:
            answer = await ask(passed)
        except Unreachable as error:
            raise errors.unavailable(f"error trying to reach service: {error.why}") from error
        except ValueError as error:
            raise errors.bad_request(f"the request cannot be passed on: {error}") from error
        return await _answered(answer, request, links.Way(prefix, behind, request.headers.get("host", "")))


def _container_ports(pod: Obj) -> list[int]:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return [port["containerPort"] for container in containers for port in container.get("ports") or ()]


def _port_name(service: Obj, place: Place) -> str:
    """A port number means the name of that port of the Service; the ports of Endpoints have names alone."""
    ports = (service.get("spec") or {}).get("ports") or ()
    if not _PORT.fullmatch(place.port):
        return place.port
    for port in ports:
        if port["port"] == int(place.port):
            return port_name(port)
    raise errors.unavailable(f'no service port {place.port} found for service "{place.name}"')


def _passed_on(request: Request, uri: str) -> dict[str, str]:
    """The client's headers for the other side: without its credentials, with the way that the request took."""
    kept = {name: text for name, text in request.headers.items() if name not in _HOPS and name not in _OURS}
    if is_upgrade(request):
        kept |= {"connection": "Upgrade", "upgrade": request.headers["upgrade"]}
    else:
        kept["connection"] = "close"
    kept["x-forwarded-uri"] = uri
    if request.headers.get("host"):
        kept["x-forwarded-host"] = request.headers["host"]
    if request.remote:
        earlier = request.headers.get("x-forwarded-for")
        kept["x-forwarded-for"] = f"{earlier}, {request.remote}" if earlier else request.remote
    return kept


async def _answered(answer: Response, request: Request, way: links.Way) -> Response:
    headers = {name: text for name, text in answer.headers.items() if name not in _HOPS and name not in _NOT_BACK}
    if answer.upgrade is not None:
        headers |= {name: answer.headers[name] for name in ("connection", "upgrade") if name in answer.headers}
    location = headers.get("location")
    body = answer.body
    if location is not None:
        headers["location"] = links.through(location, way)
    if request.method == "HEAD":
        body = _nothing()  # the length of what is not sent is not known
    elif location is None and headers.get("content-type", "").partition(";")[0].strip() == "text/html":
        body = await _page(body, headers.get("content-encoding", ""), way)
    return Response(answer.status, body, headers, upgrade=answer.upgrade)


async def _page(body: bytes | AsyncIterator[bytes], encoding: str, way: links.Way) -> bytes | AsyncIterator[bytes]:
    """An HTML page with its links; one that is too large as it is, in the pieces that it comes in."""
    if isinstance(body, bytes):
        return links.page(body, encoding, way)
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size > links.PAGE_BYTES_MAX:
            return _onward(pieces, body)
    return links.page(b"".join(pieces), encoding, way)


async def _onward(pieces: list[bytes], body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    async for piece in body:
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
