"""exec, attach and port-forward: finds the container and its node, and joins the client with that node's kubelet.

What both ends speak is spliced, unread: SPDY, and the WebSocket protocols up to v4. Only newer clients' WebSockets need
more: exec and attach in v5 are translated (`translate`), and a SPDY port-forward inside a WebSocket is taken out of it.
Rules: pkg/registry/core/pod/rest/subresources.go, strategy.go (streamLocation), apiserver's util/proxy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

from homeostat.api import errors, kinds
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Authorizer, Call
from homeostat.apiserver.path.pipeline import forbidden
from homeostat.apiserver.subresources.log import KubeletDialer, chosen_container
from homeostat.client.contract import Unreachable
from homeostat.wire.duplex import Duplex
from homeostat.wire.fields import is_upgrade, repeated
from homeostat.wire.message import Request, Response

_SPDY = "SPDY/3.1"
_TUNNEL = "SPDY/3.1+"
_KUBERNETES = ".k8s.io"
_PROTOCOL_VERSION = "x-stream-protocol-version"
# What of a request and of its answer goes through: what makes the upgrade, and who is there.
_ASKED = (
    "connection",
    "upgrade",
    "user-agent",
    _PROTOCOL_VERSION,
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
)
_ANSWERED = (
    "connection",
    "content-type",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "upgrade",
    "x-accepted-stream-protocol-versions",
    _PROTOCOL_VERSION,
)
_FLAGS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


class Streams:
    """Joins clients with kubelets over `dial`. With an `authorizer`, a WebSocket's GET needs `create` as well."""

    def __init__(self, dial: KubeletDialer, authorizer: Authorizer | None = None) -> None:
        self._dial = dial
        self._authorizer = authorizer

    async def execute(self, call: Call) -> Response:
        """pods/NAME/exec. Raises 400, 403, 404, 500."""
        return await self._connect(call, "exec")

    async def attach(self, call: Call) -> Response:
        """pods/NAME/attach. Raises as `execute`."""
        return await self._connect(call, "attach")

    async def port_forward(self, call: Call) -> Response:
        """pods/NAME/portforward. Raises as `execute`."""
        request = call.request
        ask = self._kubelet(
            call, self._pod(call), ["portForward", call.info.namespace, call.info.name], _ports(request)
        )
        self._check(call)
        tunnelled = _tunnelled(request)
        if tunnelled:
            return await _tunnel(request, ask, tunnelled)
        return _passed(await ask(_headers(request)))

    async def _connect(self, call: Call, what: str) -> Response:
        request = call.request
        pod = self._pod(call)
        container = chosen_container(pod, request.query.get("container", ""))
        query = [(name, "1") for field, name in _FLAGS.items() if _flag(request.query, field)]
        query += [("command", word) for word in repeated(request, "command")] if what == "exec" else []
        ask = self._kubelet(call, pod, [what, call.info.namespace, call.info.name, container], query)
        self._check(call)
        if _wants_v5(request):
            return _translated(request, ask)
        return _passed(await ask(_headers(request)))

    def _check(self, call: Call) -> None:
        """An upgrade it must be; and who may only read must not get a shell, though a WebSocket begins with a GET
        (KEP-4006; kube-apiserver's AuthorizePodWebsocketUpgradeCreatePermission)."""
        if not is_upgrade(call.request):
            raise errors.bad_request("Upgrade request required")
        create = replace(call.info, verb="create")
        if self._authorizer is not None and call.info.verb != "create":
            allowed, _ = self._authorizer.allowed(call.user, create)
            if not allowed:
                raise forbidden(call.user, create)

    def _pod(self, call: Call) -> Obj:
        pod = call.reader.get(kinds.POD, call.info.namespace, call.info.name)
        if pod is None:
            raise errors.not_found("pods", "", call.info.name)
        return pod

    def _kubelet(self, call: Call, pod: Obj, path: list[str], query: list[tuple[str, str]]) -> _Ask:
        """How to ask the pod's kubelet: with which headers is what the caller adds."""
        name = (pod.get("spec") or {}).get("nodeName") or ""
        if not name:
            raise errors.bad_request(f"pod {call.info.name} does not have a host assigned")
        node = call.reader.get(kinds.NODE, "", name)
        if node is None:
            raise errors.not_found("nodes", "", name)
        kubelet, place = self._dial(node), "/" + "/".join(path)
        target = "/" + "/".join([quote(part, safe="") for part in path]) + (f"?{urlencode(query)}" if query else "")

        async def ask(headers: Mapping[str, str], method: str = "") -> Response:
            request = Request(method or call.request.method, place, dict(query), headers, user=call.user)
            request.target = target.encode("ascii")
            try:
                return await kubelet(request)
            except Unreachable as error:
                raise errors.internal(f"error dialing backend: {error.why}") from error

        return ask


_Ask = Callable[..., Awaitable[Response]]


def _flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter as apimachinery converts it: there, and neither `false` nor `0`."""
    return name in query and query[name].lower() not in ("false", "0")


def _ports(request: Request) -> list[tuple[str, str]]:
    return [("port", port) for port in repeated(request, "ports")]


def _headers(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in _ASKED if name in request.headers}


def _passed(answer: Response) -> Response:
    """The kubelet's answer as the client's."""
    headers = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
    return Response(answer.status, answer.body, headers, upgrade=answer.upgrade)


def _spdy_headers(request: Request, offered: list[str]) -> dict[str, str]:
    """The headers of the SPDY request that a WebSocket one becomes."""
    headers = {"connection": "Upgrade", "upgrade": _SPDY, _PROTOCOL_VERSION: ", ".join(offered)}
    agent = request.headers.get("user-agent")
    return headers | ({"user-agent": agent} if agent else {})


# `websockets` takes 15 ms to import: it is for those who use it.


def _wants_v5(request: Request) -> bool:
    from homeostat.apiserver.subresources.translate import PROTOCOL
    from homeostat.wire.websocket import asked, protocols

    return asked(request) and PROTOCOL in protocols(request)


def _translated(request: Request, ask: _Ask) -> Response:
    from homeostat.apiserver.subresources import translate
    from homeostat.wire.websocket import WebSocket, accept

    query = request.query
    wanted = translate.Wanted(*[_flag(query, field) for field in ("stdin", "stdout", "stderr", "tty")])

    async def dial() -> Response:
        return await ask(_spdy_headers(request, [translate.BEHIND]), "POST")

    async def upgrade(stream: Duplex) -> None:
        await translate.translate(WebSocket(stream), dial, wanted)

    return Response(101, b"", accept(request, translate.PROTOCOL), upgrade=upgrade)


def _tunnelled(request: Request) -> list[str]:
    """The SPDY protocols that the client would speak inside a WebSocket."""
    from homeostat.wire.websocket import asked, protocols

    if not asked(request):
        return []
    inside = [word for word in protocols(request) if word.startswith(_TUNNEL) and word.endswith(_KUBERNETES)]
    return [word.removeprefix(_TUNNEL) for word in inside]


async def _tunnel(request: Request, ask: _Ask, offered: list[str]) -> Response:
    from homeostat.wire.websocket import WebSocket, accept

    accept(request, "")  # a handshake that is none is refused before the node is asked
    answer = await ask(_spdy_headers(request, offered), "POST")
    carry = answer.upgrade
    if carry is None:
        return _passed(answer)
    chosen = answer.headers.get(_PROTOCOL_VERSION, "").strip()

    async def upgrade(stream: Duplex) -> None:
        await carry(WebSocket(stream))

    return Response(101, b"", accept(request, _TUNNEL + chosen if chosen else ""), upgrade=upgrade)
