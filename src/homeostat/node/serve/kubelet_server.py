"""The kubelet's own server, as a `wire.message.Handler`: logs, pods, health, metrics, stats, streams.

Only the API server and administrators may ask (by their client certificates). exec, attach and port-forward are those
of `node.serve.streams`; a runtime that has no streams refuses them by name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from homeostat.api import meta
from homeostat.client.direct import ask_at
from homeostat.kit import clock
from homeostat.node.agent import NodeAgent
from homeostat.node.serve import stats_summary
from homeostat.node.serve.logs import LogRefusal, choose, options, render
from homeostat.node.serve.streams import Asker, Streaming
from homeostat.runtime.contract import ContainerState, RuntimeFault
from homeostat.wire.message import Request, Response, User

API_SERVER = "kube-apiserver-kubelet-client"
_ADMINISTRATORS = frozenset(("system:masters", "kubeadm:cluster-admins"))
_TEXT = {"content-type": "text/plain; charset=utf-8"}
_JSON = {"content-type": "application/json"}
_METRICS = {"content-type": "text/plain; version=0.0.4; charset=utf-8"}
_STREAMING = ("exec", "attach", "portForward")


class NodeServer:
    """Answers for one agent. `handle` is for the network; `answer` for callers in this process, who are trusted."""

    def __init__(self, agent: NodeAgent, ask_runtime: Asker = ask_at) -> None:
        self._agent = agent
        self._streaming = Streaming(agent, ask_runtime)

    async def handle(self, request: Request) -> Response:
        """Answer a request whose peer is known by its certificate."""
        if request.path == "/healthz":
            return Response(200, b"ok", dict(_TEXT))
        if request.peer is None:
            return _refusal(401, "Unauthorized")
        if not _may_ask(request.peer):
            return _refusal(403, f"Forbidden (user={request.peer.name}, verb={request.method.lower()}, resource=nodes)")
        await request.take_body()
        return await self.answer(request)

    async def answer(self, request: Request) -> Response:
        """Answer a request without asking who sends it."""
        if request.method not in ("GET", "HEAD") and request.path.split("/")[1] not in (*_STREAMING, "run"):
            return _refusal(405, "method not allowed")
        match request.path.strip("/").split("/"):
            case ["healthz"]:
                return Response(200, b"ok", dict(_TEXT))
            case ["pods"]:
                items = self._agent.pods()
                return Response(200, orjson.dumps({"kind": "PodList", "apiVersion": "v1", "items": items}), dict(_JSON))
            case ["containerLogs", namespace, name, container]:
                return await self._logs(request, namespace, name, container)
            case ["metrics"]:
                return Response(200, await self._metrics(), dict(_METRICS))
            case ["stats", "summary"]:
                return Response(200, orjson.dumps(await stats_summary.of(self._agent)), dict(_JSON))
            case [word, *_] as parts if word in _STREAMING:
                return await self._streaming.handle(request, parts)
            case ["run", *_]:
                return _refusal(501, "run is not supported by this node; exec does the same")
        return _refusal(404, "404 page not found")

    async def _logs(self, request: Request, namespace: str, name: str, container: str) -> Response:
        pod = self._agent.pod_of(namespace, name)
        if pod is None:
            return _refusal(404, f'pod "{name}" does not exist')
        try:
            wanted = options(request.query, clock.wall())
            found = await self._agent.runtime.containers(meta.uid(pod))
            chosen = choose(pod, container, found, previous=wanted.previous)
            lines = self._agent.runtime.read_log(chosen.id, wanted.span)
        except LogRefusal as refusal:
            return _refusal(refusal.code, str(refusal))
        except RuntimeFault as fault:
            return _refusal(500, fault.message)
        return Response(200, _until_removed(render(lines, wanted)), dict(_TEXT))

    async def _metrics(self) -> bytes:
        runtime = self._agent.runtime
        states = [container.state for container in await runtime.containers()]
        boxes = [box for box in await runtime.sandboxes() if box.ready]
        lines = ["# HELP kubelet_running_pods Number of pods that have a running pod sandbox"]
        lines += ["# TYPE kubelet_running_pods gauge", f"kubelet_running_pods {len(boxes)}"]
        lines += ["# HELP kubelet_running_containers Number of containers currently running"]
        lines += ["# TYPE kubelet_running_containers gauge"]
        for state in ContainerState:
            if state is not ContainerState.REMOVED:
                count = states.count(state)
                lines.append(f'kubelet_running_containers{{container_state="{state.value}"}} {count}')
        return ("\n".join(lines) + "\n").encode()


def _may_ask(peer: User) -> bool:
    return peer.name == API_SERVER or not _ADMINISTRATORS.isdisjoint(peer.groups)


def _refusal(code: int, message: str) -> Response:
    return Response(code, message.encode(), dict(_TEXT))


async def _until_removed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A log that is being followed ends when its container is removed."""
    try:
        async for chunk in chunks:
            yield chunk
    except RuntimeFault:
        return
