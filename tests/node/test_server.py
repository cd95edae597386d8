"""The kubelet's server: who may ask, logs in kubectl's ways, and honest refusals."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from homeostat.kit import clock
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.simulated import Behaviour, behaviours
from homeostat.wire.message import Request, Response, User

from .conftest import Stage

Play = Callable[..., None]
API_SERVER = User("kube-apiserver-kubelet-client", ("kubeadm:cluster-admins",))
LOG = "/containerLogs/default/web/main"


async def text(response: Response) -> str:
    body = response.body
    return (body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])).decode()


def test_only_the_api_server_and_administrators_may_ask(play: Play) -> None:
    async def story(stage: Stage) -> None:
        server = NodeServer(stage.agent)
        answers = {
            peer.name if peer else "": (await server.handle(Request("GET", "/pods", peer=peer))).status
            for peer in (None, User("eve"), User("system:node:n2", ("system:nodes",)), API_SERVER)
        }
        assert answers == {"": 401, "eve": 403, "system:node:n2": 403, API_SERVER.name: 200}
        admin = User("ann", ("system:masters",))
        assert (await server.handle(Request("GET", "/metrics", peer=admin))).status == 200
        assert await text(await server.handle(Request("GET", "/healthz"))) == "ok"

    play(story)


def test_logs_as_kubectl_asks_for_them(play: Play) -> None:
    async def story(stage: Stage) -> None:
        server = NodeServer(stage.agent)

        async def log(**query: str) -> str:
            return await text(await server.answer(Request("GET", LOG, query)))

        await stage.pod()
        await stage.ready()
        main = (await stage.running())[0].id
        for number in range(5):
            stage.runtime.say(main, f"line {number}", stream="stderr" if number == 2 else "stdout")
            await clock.sleep(10)
        assert (await log()).count("\n") == 5
        assert await log(tailLines="2") == "line 3\nline 4\n"
        assert await log(sinceSeconds="25") == "line 3\nline 4\n"
        assert await log(sinceTime=clock.rfc3339(clock.wall() - 15)) == "line 4\n"
        assert await log(limitBytes="9") == "line 0\nli"
        assert await log(stream="Stderr") == "line 2\n"
        assert (await log(timestamps="true", tailLines="1")).endswith("Z line 4\n")
        refused = await server.answer(Request("GET", LOG, {"previous": "true"}))
        assert (refused.status, await text(refused)) == (
            400,
            'previous terminated container "main" in pod "web" not found',
        )
        stage.runtime.kill(main)
        await clock.sleep(1)
        assert await log() == ""
        assert (await log(previous="true")).count("\n") == 5

    play(story)


def test_a_followed_log_ends_with_its_container(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy="Never")
        await stage.phase("Running")
        main = (await stage.running())[0].id
        stage.runtime.say(main, "first")
        begun = clock.monotonic()
        followed = await text(await NodeServer(stage.agent).answer(Request("GET", LOG, {"follow": "true"})))
        assert followed == "first\n"
        assert 9 < clock.monotonic() - begun < 11

    play(story, behaviour=behaviours({"main": Behaviour(exit_after_seconds=10)}))


def test_what_is_not_there_or_not_done_is_said(play: Play) -> None:
    async def story(stage: Stage) -> None:
        server = NodeServer(stage.agent)
        await stage.pod()
        await stage.ready()
        answers = {}
        for path in ("/containerLogs/default/no/main", "/containerLogs/default/web/no", "/run/default/web/main", "/x"):
            response = await server.answer(Request("GET", path))
            answers[path] = (response.status, await text(response))
        assert answers == {
            "/containerLogs/default/no/main": (404, 'pod "no" does not exist'),
            "/containerLogs/default/web/no": (400, "container no is not valid for pod web"),
            "/run/default/web/main": (501, "run is not supported by this node; exec does the same"),
            "/x": (404, "404 page not found"),
        }
        assert (await server.answer(Request("GET", LOG, {"tailLines": "x"}))).status == 400
        assert (await server.answer(Request("DELETE", "/pods"))).status == 405

    play(story)


def test_pods_metrics_and_summary(play: Play) -> None:
    async def story(stage: Stage) -> None:
        server = NodeServer(stage.agent)
        await stage.pod()
        await stage.ready()
        pods = orjson.loads(await text(await server.answer(Request("GET", "/pods"))))
        assert [pod["metadata"]["name"] for pod in pods["items"]] == ["web"]
        metrics = await text(await server.answer(Request("GET", "/metrics")))
        assert "kubelet_running_pods 1\n" in metrics
        assert 'kubelet_running_containers{container_state="running"} 1\n' in metrics
        summary = orjson.loads(await text(await server.answer(Request("GET", "/stats/summary"))))
        assert summary["pods"][0]["podRef"]["name"] == "web"

    play(story)
