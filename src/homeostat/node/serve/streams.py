"""exec, attach and port-forward at the kubelet: finds the container, asks its runtime for a stream, and joins the two.

What passes is spliced, unread: SPDY or WebSocket, between the API server and the runtime's own streaming server.
Words and codes are the kubelet's (pkg/kubelet/server/server.go, and kubelet_pods.go).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.client.contract import Unreachable
from homeostat.client.direct import ask_at
from homeostat.node.agent import NodeAgent
from homeostat.node.podspec import spec
from homeostat.runtime.contract import Container, ContainerState, RuntimeFault, StreamOptions
from homeostat.wire.fields import is_upgrade, repeated
from homeostat.wire.message import Request, Response

# Performs a request at a URL of the runtime's streaming server.
Asker: TypeAlias = Callable[[str, Request], Awaitable[Response]]

_TEXT = {"content-type": "text/plain; charset=utf-8"}
_CODES = {"Unsupported": 501, "NotFound": 404}
# Identities are for this server alone; lengths are the connection's.
_OWN_HEADERS = ("authorization", "content-length", "host")


class StreamRefusal(Exception):
    """The request cannot be answered; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Streaming:
    """Answers for one agent; `ask` reaches the runtime's streaming server."""

    def __init__(self, agent: NodeAgent, ask: Asker = ask_at) -> None:
        self._agent = agent
        self._ask = ask

    async def handle(self, request: Request, parts: list[str]) -> Response:
        """Answer /exec/NAMESPACE/POD[/UID]/CONTAINER, /attach the same, /portForward/NAMESPACE/POD[/UID]."""
        try:
            url = await self._url(request, parts)
            if not is_upgrade(request):
                raise StreamRefusal(400, "Upgrade request required")
            passed = {name: value for name, value in request.headers.items() if name not in _OWN_HEADERS}
            return await self._ask(url, Request(request.method, "", {}, passed))
        except StreamRefusal as refusal:
            return _refusal(refusal.code, str(refusal))
        except RuntimeFault as fault:
            return _refusal(_CODES.get(fault.reason, 500), fault.message)
        except Unreachable as error:
            return _refusal(500, f"error dialing the container runtime: {error.why}")

    async def _url(self, request: Request, parts: list[str]) -> str:
        runtime = self._agent.runtime
        match parts:
            case ["portForward", namespace, name, *uid] if len(uid) <= 1:
                pod = self._pod(namespace, name, *uid)
                return await runtime.port_forward_url(await self._sandbox(pod), _ports(request))
            case ["exec" | "attach" as what, namespace, name, *uid, container] if len(uid) <= 1:
                options = _options(request.query)
                pod = self._pod(namespace, name, *uid)
                found = await self._running(pod, container)
                if what == "exec":
                    return await runtime.exec_url(found.id, tuple(repeated(request, "command")), options)
                # A running process has its terminal, or has none: what the client would like does not matter.
                tty = _has_terminal(pod, container)
                return await runtime.attach_url(found.id, replace(options, tty=tty, stderr=options.stderr and not tty))
        raise StreamRefusal(404, "404 page not found")

    def _pod(self, namespace: str, name: str, uid: str = "") -> Obj:
        pod = self._agent.pod_of(namespace, name)
        if pod is None or (uid and meta.uid(pod) != uid):
            raise StreamRefusal(404, "pod does not exist")
        return pod

    async def _running(self, pod: Obj, name: str) -> Container:
        for container in await self._agent.runtime.containers(meta.uid(pod)):
            if container.spec.name == name and container.state is ContainerState.RUNNING:
                return container
        raise StreamRefusal(500, f'container not found ("{name}")')

    async def _sandbox(self, pod: Obj) -> str:
        for box in reversed(await self._agent.runtime.sandboxes(meta.uid(pod))):
            if box.ready:
                return box.id
        raise StreamRefusal(500, f'pod not found ("{meta.name(pod)}_{meta.namespace(pod)}")')


def _options(query: Mapping[str, str]) -> StreamOptions:
    """PodExecOptions as the API server passes them on. A terminal has one output for both."""
    tty = _flag(query, "tty")
    options = StreamOptions(
        stdin=_flag(query, "input"),
        stdout=_flag(query, "output"),
        stderr=_flag(query, "error") and not tty,
        tty=tty,
    )
    if not (options.stdin or options.stdout or options.stderr):
        raise StreamRefusal(400, "you must specify at least 1 of stdin, stdout, stderr")
    return options


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name) == "1"


def _has_terminal(pod: Obj, name: str) -> bool:
    containers = (*spec.all_containers(pod), *(spec.spec(pod).get("ephemeralContainers") or ()))
    return any(bool(container.get("tty")) for container in containers if container["name"] == name)


def _ports(request: Request) -> tuple[int, ...]:
    """The ports that a WebSocket client names in its URL; a SPDY client names one in each stream's headers."""
    if request.headers.get("upgrade", "").lower() != "websocket":
        return ()
    words = [word for value in repeated(request, "port") for word in value.split(",")]
    if not words:
        raise StreamRefusal(400, 'query parameter "port" is required')
    ports = []
    for word in words:
        if not word.isascii() or not word.isdigit() or int(word) > 65535:
            raise StreamRefusal(400, f'unable to parse "{word}" as a port')
        if int(word) == 0:
            raise StreamRefusal(400, f'port "{word}" must be > 0')
        ports.append(int(word))
    return tuple(ports)


def _refusal(code: int, message: str) -> Response:
    return Response(code, message.encode(), dict(_TEXT))
