"""exec, attach and port-forward at the kubelet: which stream of the runtime is asked for, and the kubelet's refusals
(pkg/kubelet/server/server.go, kubelet_pods.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from homeostat.client.contract import Unreachable
from homeostat.client.direct import ask_at
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.contract import RuntimeFault, StreamOptions
from homeostat.wire.message import Request, Response, User

from .conftest import Stage, container

Play = Callable[..., None]
SPDY = {
    "connection": "Upgrade",
    "upgrade": "SPDY/3.1",
    "x-stream-protocol-version": "v4.channel.k8s.io",
    "host": "node-1:10250",
    "authorization": "Bearer secret",
}
WEBSOCKET = {**SPDY, "upgrade": "websocket"}
EXEC = "/exec/default/web/main?input=1&output=1&error=1&command=ls&command=-l&command=a%20b"


class Engine:
    """Replaces the runtime's streams: where they are, and what is asked there."""

    def __init__(self, stage: Stage) -> None:
        self.wanted: list[tuple[Any, ...]] = []
        self.asked: list[tuple[str, Request]] = []
        runtime = stage.runtime
        runtime.exec_url, runtime.attach_url, runtime.port_forward_url = (
            self.exec_url,
            self.attach_url,
            self.forward_url,
        )
        self.server = NodeServer(stage.agent, self.ask)

    async def exec_url(self, container_id: str, argv: tuple[str, ...], options: StreamOptions) -> str:
        self.wanted.append(("exec", container_id, argv, options))
        return "http://127.0.0.1:1/exec/token"

    async def attach_url(self, container_id: str, options: StreamOptions) -> str:
        self.wanted.append(("attach", container_id, options))
        return "http://127.0.0.1:1/attach/token"

    async def forward_url(self, sandbox_id: str, ports: tuple[int, ...] = ()) -> str:
        self.wanted.append(("forward", sandbox_id, ports))
        return "http://127.0.0.1:1/portforward/token"

    async def ask(self, url: str, request: Request) -> Response:
        self.asked.append((url, request))
        return Response(101, b"", {"connection": "Upgrade", "upgrade": "SPDY/3.1"})


def asking(target: str, headers: dict[str, str] | None = None, method: str = "POST") -> Request:
    path, _, query = target.partition("?")
    pairs = [field.partition("=")[0::2] for field in query.split("&") if field]
    given = SPDY if headers is None else headers
    return Request(method, path, dict(reversed(pairs)), given, target=target.encode())


async def refusal(server: NodeServer, request: Request) -> tuple[int, str]:
    response = await server.answer(request)
    assert isinstance(response.body, bytes) and response.upgrade is None
    return response.status, response.body.decode()


def test_a_command_streams_in_the_running_container(play: Play) -> None:
    async def story(stage: Stage) -> None:
        engine = Engine(stage)
        await stage.pod()
        await stage.ready()
        main = (await stage.running())[0].id
        response = await engine.server.answer(asking(EXEC))
        assert response.status == 101
        assert engine.wanted == [("exec", main, ("ls", "-l", "a b"), StreamOptions(stdin=True))]
        ((url, asked),) = engine.asked
        assert (url, asked.method) == ("http://127.0.0.1:1/exec/token", "POST")
        assert asked.headers == {name: SPDY[name] for name in ("connection", "upgrade", "x-stream-protocol-version")}
        uid = (await stage.ready())["metadata"]["uid"]
        await engine.server.answer(asking(f"/exec/default/web/{uid}/main?output=1&tty=1&error=1", method="GET"))
        tty = StreamOptions(stdin=False, stdout=True, stderr=False, tty=True)
        assert engine.wanted[1] == ("exec", main, (), tty), "a terminal has its errors in its output"

    play(story)


def test_attach_has_a_terminal_where_the_container_has_one(play: Play) -> None:
    """GetAttach: whether a process runs in a terminal cannot be changed after it has started."""

    async def story(stage: Stage) -> None:
        engine = Engine(stage)
        await stage.pod()
        await stage.ready()
        await engine.server.answer(asking("/attach/default/web/main?input=1&output=1&tty=1"))
        assert engine.wanted[0][2].tty is False

    play(story)


def test_ports_are_forwarded_to_the_pods_sandbox(play: Play) -> None:
    async def story(stage: Stage) -> None:
        engine = Engine(stage)
        await stage.pod()
        await stage.ready()
        box = (await stage.runtime.sandboxes())[0].id
        await engine.server.answer(asking("/portForward/default/web"))
        await engine.server.answer(asking("/portForward/default/web?port=80&port=443,8080", WEBSOCKET, "GET"))
        assert engine.wanted == [("forward", box, ()), ("forward", box, (80, 443, 8080))]
        for query, words in (
            ("", 'query parameter "port" is required'),
            ("?port=x", 'unable to parse "x" as a port'),
            ("?port=70000", 'unable to parse "70000" as a port'),
            ("?port=0", 'port "0" must be > 0'),
        ):
            request = asking(f"/portForward/default/web{query}", WEBSOCKET, "GET")
            assert await refusal(engine.server, request) == (400, words)

    play(story)


def test_what_cannot_be_streamed_is_refused_in_the_kubelets_words(play: Play) -> None:
    async def story(stage: Stage) -> None:
        engine = Engine(stage)
        await stage.pod()
        await stage.pod("done", containers=[container("main")])
        await stage.ready()
        for target, headers, reported in (
            ("/exec/default/none/main?output=1", SPDY, (404, "pod does not exist")),
            ("/exec/default/web/other-uid/main?output=1", SPDY, (404, "pod does not exist")),
            ("/exec/default/web/side?output=1", SPDY, (500, 'container not found ("side")')),
            ("/exec/default/web/main?tty=1", SPDY, (400, "you must specify at least 1 of stdin, stdout, stderr")),
            ("/exec/default/web/main?output=1", {}, (400, "Upgrade request required")),
            ("/exec/default", SPDY, (404, "404 page not found")),
            ("/portForward/default/none", SPDY, (404, "pod does not exist")),
        ):
            assert await refusal(engine.server, asking(target, headers)) == reported
        await stage.runtime.stop_sandbox((await stage.runtime.sandboxes(uid_of(stage, "web")))[0].id)
        stage.agent.pods()
        assert (await refusal(engine.server, asking("/exec/default/web/main?output=1")))[0] == 500
        assert not engine.asked

    play(story)


def uid_of(stage: Stage, name: str) -> str:
    pod = stage.agent.pod_of("default", name)
    assert pod is not None
    return str(pod["metadata"]["uid"])


@pytest.mark.parametrize(
    ("fault", "reported"),
    [
        (RuntimeFault("Failed", "engine trouble"), (500, "engine trouble")),
        (RuntimeFault("NotFound", "no such container"), (404, "no such container")),
        (Unreachable("", why="connection refused"), (500, "error dialing the container runtime: connection refused")),
    ],
)
def test_a_failing_runtime_is_reported(play: Play, fault: Exception, reported: tuple[int, str]) -> None:
    async def story(stage: Stage) -> None:
        engine = Engine(stage)

        async def fail(*_: Any) -> Any:
            raise fault

        if isinstance(fault, RuntimeFault):
            stage.runtime.exec_url = fail
        else:
            engine.server = NodeServer(stage.agent, fail)
        await stage.pod()
        await stage.ready()
        assert await refusal(engine.server, asking(EXEC)) == reported

    play(story)


def test_a_runtime_without_streams_refuses_by_name(play: Play) -> None:
    async def story(stage: Stage) -> None:
        server = NodeServer(stage.agent)
        await stage.pod()
        await stage.ready()
        for target, word in (
            (EXEC, "exec is"),
            ("/attach/default/web/main?output=1", "attach is"),
            ("/portForward/default/web", "port forwarding is"),
        ):
            assert await refusal(server, asking(target)) == (501, f"{word} not supported by the runtime simulated")

    play(story)


def test_only_the_api_server_and_administrators_may_stream(play: Play) -> None:
    async def story(stage: Stage) -> None:
        engine = Engine(stage)
        await stage.pod()
        await stage.ready()
        for peer, status in ((None, 401), (User("system:node:n2", ("system:nodes",)), 403)):
            request = asking(EXEC)
            request.peer = peer
            assert (await engine.server.handle(request)).status == status
        assert not engine.wanted

    play(story)


def test_a_runtimes_url_that_is_not_plain_http_is_a_mistake() -> None:
    import asyncio

    async def ask() -> None:
        for url in ("https://127.0.0.1:1/x", "unix:///run/x"):
            with pytest.raises(ValueError):
                await ask_at(url, asking(EXEC))

    asyncio.run(ask())
