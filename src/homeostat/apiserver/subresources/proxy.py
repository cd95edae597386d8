"""nodes, pods and services `/proxy`: plain HTTP (and upgrades) through the API server to a kubelet, a Pod, a Service.

A name is `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. Rules: apimachinery's SplitSchemeNamePort, the registries'
ResourceLocation, apiserver's UpgradeAwareHandler. Two differences: links inside HTML pages are not rewritten (a
`Location` header is), and addresses of 127.0.0.0/8 other than 127.0.0.1 are let through, since plain processes of a lab
have them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from homeostat.api import errors, kinds
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Call
from homeostat.apiserver.routing import split_proxied
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
    """Passes requests on: to kubelets over `kubelet`, to all others over `endpoint`."""

    def __init__(self, kubelet: KubeletDialer, endpoint: EndpointDialer) -> None:
        self._kubelet = kubelet
        self._endpoint = endpoint

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
        port_name = _port_name(service, place)
        endpoints = call.reader.get(kinds.ENDPOINTS, namespace, place.name) or {}
        found = [
            (address["ip"], str(port["port"]))
            for subset in endpoints.get("subsets") or ()
            for port in subset.get("ports") or ()
            if (port.get("name") or "") == port_name
            for address in subset.get("addresses") or ()
        ]
        if not found:
            raise errors.unavailable(f'no endpoints available for service "{place.name}"')
        return await self._to(call, place.scheme, *chance.choice(found))

    async def _to(self, call: Call, scheme: str, host: str, port: str) -> Response:
        if not host or not _allowed(host):
            raise errors.bad_request("address not allowed")
        where = f"[{host}]" if ":" in host else host
        url = f"{scheme}://{where}" + (f":{port}" if port else "")
        return await self._pass(call, lambda request: self._endpoint(url, request))

    async def _pass(self, call: Call, ask: Callable[[Request], Awaitable[Response]]) -> Response:
        request = call.request
        before, rest = split_proxied(request)
        if not rest.startswith(b"/") and request.method in ("GET", "HEAD"):
            # A page's relative links need the slash.
            return Response(301, b"", {"location": (before + b"/" + rest).decode("ascii")})
        path = rest.partition(b"?")[0].decode("ascii") or "/"
        rest = rest if rest.startswith(b"/") else b"/" + rest
        headers = _passed_on(request, before.decode("ascii") + path)
        passed = Request(request.method, path, request.query, headers, request.body, call.user)
        passed.target = rest
        try:
            answer = await ask(passed)
        except Unreachable as error:
            raise errors.unavailable(f"error trying to reach service: {error.why}") from error
        return _answered(answer, request, before.decode("ascii"))


def _container_ports(pod: Obj) -> list[int]:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return [port["containerPort"] for container in containers for port in container.get("ports") or ()]


def _port_name(service: Obj, place: Place) -> str:
    """A port number stands for the name of that port of the Service; the ports of Endpoints have names alone."""
    ports = (service.get("spec") or {}).get("ports") or ()
    if not place.port.isdigit():
        return place.port
    for port in ports:
        if port["port"] == int(place.port):
            return port.get("name") or ""
    raise errors.unavailable(f'no service port {place.port} found for service "{place.name}"')


def _allowed(host: str) -> bool:
    """The addresses of machines and Pods: not those that mean this server itself, or a network's whole."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if str(address) in ("127.0.0.1", "::1"):
        return False
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)


def _passed_on(request: Request, uri: str) -> dict[str, str]:
    """The client's headers for the other side: who it is stays here, which way it came is told."""
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


def _answered(answer: Response, request: Request, before: str) -> Response:
    headers = {name: text for name, text in answer.headers.items() if name not in _HOPS and name != "date"}
    if answer.upgrade is not None:
        headers |= {name: answer.headers[name] for name in ("connection", "upgrade") if name in answer.headers}
    location = headers.get("location")
    if location is not None:
        headers["location"] = _relocated(location, before)
    body = answer.body
    if request.method == "HEAD":
        body = _nothing()  # the length of what is not sent is not known
    return Response(answer.status, body, headers, upgrade=answer.upgrade)


def _relocated(location: str, before: str) -> str:
    """Where a redirect within the other side leads through this server; elsewhere is left alone."""
    parts = urlsplit(location)
    if parts.netloc or not parts.path.startswith("/"):
        return location
    return before + location


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
