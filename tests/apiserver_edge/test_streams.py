"""exec, attach and port-forward at the API server, with real connections: which node it asks for what, what it passes
on, what it refuses (pkg/registry/core/pod/rest/subresources.go)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest

from homeostat.wire import rawstream
from homeostat.wire.duplex import Duplex
from homeostat.wire.message import Request, Response
from homeostat.wire.spdy import FrameWriter
from tests.support.api_edge import rule
from tests.support.api_site import Caller, Site, story
from tests.support.spdy_node import Play, Runtime, SpdyNode, WebSocketClient

PODS = "/api/v1/namespaces/default/pods"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SPDY = ("Connection: Upgrade", "Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io, v3.channel.k8s.io")
KEY = base64.b64encode(b"0123456789abcdef").decode()
# RFC 6455, 1.3: the key with the protocol's own GUID, hashed.
ACCEPTED = "BACScCJPNqyz+UBoqMH89VmURoA="


def websocket(*protocols: str) -> list[str]:
    asked = ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    return [*asked, f"Sec-WebSocket-Key: {KEY}", f"Sec-WebSocket-Protocol: {', '.join(protocols)}"]


async def cat(node: SpdyNode) -> None:
    """What `exec -i -- cat` is on the wire."""
    await node.open(3)
    while True:
        data, last = await node.data("stdin")
        node.say("stdout", data)
        if last:
            return node.end()


def near(
    test: Callable[[Site, Runtime], Awaitable[None]], play: Play = cat, protocol: str = "v4.channel.k8s.io"
) -> None:
    """`test(site, kubelet)`: a server with the Pods `web` (one container), `two` (two, one of them bound) and `lost`
    (on no node), whose kubelet is played."""
    kubelet = Runtime(play, protocol)

    async def scenario(site: Site) -> None:
        await site.world.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        await site.world.pod("web", nodeName="n1")
        names = [{"name": name, "image": "none"} for name in ("web", "side")]
        await site.world.pod("two", nodeName="n1", containers=names, initContainers=[{"name": "init", "image": "none"}])
        await site.world.pod("lost")
        await test(site, kubelet)

    story(scenario, dial_kubelet=lambda node: kubelet)


def exec_at(pod: str, *more: str) -> str:
    return f"{PODS}/{pod}/exec?" + "&".join(("command=cat", "command=a%20b%26", "stdin=true", "stdout=true", *more))


def test_a_spdy_exec_is_passed_to_the_pods_kubelet_and_spliced() -> None:
    async def scenario(site: Site, kubelet: Runtime) -> None:
        caller = await site.call("POST", exec_at("web", "stderr=false", "tty=0"), *SPDY)
        status, headers = await caller.head()
        assert (status, headers["upgrade"], headers["connection"]) == (101, "SPDY/3.1", "Upgrade")
        assert headers["x-stream-protocol-version"] == "v4.channel.k8s.io"
        (asked,) = kubelet.asked
        assert asked.method == "POST" and asked.path == "/exec/default/web/app"
        assert asked.target == b"/exec/default/web/app?input=1&output=1&command=cat&command=a+b%26"
        assert asked.headers["x-stream-protocol-version"] == "v4.channel.k8s.io, v3.channel.k8s.io"
        assert "authorization" not in asked.headers
        writer = FrameWriter()
        for number, name in enumerate(("error", "stdin", "stdout")):
            caller.writer.write(writer.syn_stream(2 * number + 1, {"streamtype": name}))
        assert (await caller.reader.readexactly(8))[:4] == b"\x80\x03\x00\x02", "a SYN_REPLY, as the runtime wrote it"

    near(scenario)


def test_a_v5_websocket_is_translated_and_asks_the_kubelet_for_spdy() -> None:
    async def scenario(site: Site, kubelet: Runtime) -> None:
        caller = await site.call("GET", exec_at("web"), *websocket("v5.channel.k8s.io", "v4.channel.k8s.io"))
        status, headers = await caller.head()
        assert (status, headers["upgrade"]) == (101, "websocket")
        assert headers["sec-websocket-protocol"] == "v5.channel.k8s.io"
        assert headers["sec-websocket-accept"] == ACCEPTED
        client = WebSocketClient(stream_of(caller))
        client.send(b"\0hello")
        assert await client.message() == b"\1hello"
        client.send(b"\xff\0")
        assert b"Success" in (await client.all())[-1]
        (asked,) = kubelet.asked
        assert (asked.method, asked.headers["upgrade"]) == ("POST", "SPDY/3.1")
        assert asked.headers["x-stream-protocol-version"] == "v4.channel.k8s.io"
        assert "sec-websocket-key" not in asked.headers

    near(scenario)


def stream_of(caller: Caller) -> Duplex:
    """The test's own connection as a Duplex."""
    return rawstream.RawStream(caller.writer.transport, [caller.reader._buffer[:]], lambda: None)  # type: ignore[attr-defined]


def test_an_older_websocket_goes_to_the_runtime_as_it_is() -> None:
    """containerd speaks v4 itself."""

    async def scenario(site: Site, kubelet: Runtime) -> None:
        caller = await site.call("GET", f"{PODS}/web/attach?stdout=1", *websocket("v4.channel.k8s.io"))
        assert (await caller.head())[0] == 101
        (asked,) = kubelet.asked
        assert (asked.method, asked.target) == ("GET", b"/attach/default/web/app?output=1")
        assert asked.headers["sec-websocket-key"] == KEY and asked.headers["upgrade"] == "websocket"

    near(scenario)


def test_a_port_forward_inside_a_websocket_is_taken_out_of_it() -> None:
    """KEP-4006: kubectl tunnels SPDY frames in binary messages; apiserver's TunnelingHandler."""

    async def echo(node: SpdyNode) -> None:
        await node.open(2)
        assert node.headers[0]["port"] == "80"
        data, _ = await node.data("data")
        node.say("data", data, last=True)

    async def scenario(site: Site, kubelet: Runtime) -> None:
        asked = websocket("SPDY/3.1+portforward.k8s.io")
        caller = await site.call("GET", f"{PODS}/web/portforward", *asked)
        status, headers = await caller.head()
        assert (status, headers["sec-websocket-protocol"]) == (101, "SPDY/3.1+portforward.k8s.io")
        assert kubelet.asked[0].headers["x-stream-protocol-version"] == "portforward.k8s.io"
        assert kubelet.asked[0].method == "POST" and kubelet.asked[0].target == b"/portForward/default/web"
        client, writer = WebSocketClient(stream_of(caller)), FrameWriter()
        for number, name in ((1, "error"), (3, "data")):
            client.send(writer.syn_stream(number, {"streamtype": name, "port": "80", "requestid": "0"}))
        client.send(b"\0\0\0\3" + b"\0\0\0\5" + b"hello")
        received = b""
        while not received.endswith(b"hello"):
            received += await client.message() or b""
        assert received.startswith(b"\x80\x03\x00\x02")

    near(scenario, echo, "portforward.k8s.io")


def test_an_older_websockets_ports_are_named_to_the_kubelet() -> None:
    async def scenario(site: Site, kubelet: Runtime) -> None:
        path = f"{PODS}/web/portforward?ports=80&ports=443"
        assert (await (await site.call("GET", path, *websocket("v4.channel.k8s.io"))).head())[0] == 101
        assert kubelet.asked[0].target == b"/portForward/default/web?port=80&port=443"

    near(scenario)


def test_what_cannot_be_is_refused_before_the_kubelet_is_asked() -> None:
    choose = "a container name must be specified for pod two, "
    choose += "choose one of: [web side] or one of the init containers: [init]"

    async def scenario(site: Site, kubelet: Runtime) -> None:
        for path, code, words in (
            (exec_at("none"), 404, 'pods "none" not found'),
            (exec_at("two"), 400, choose),
            (exec_at("two", "container=x"), 400, "container x is not valid for pod two"),
            (exec_at("lost"), 400, "pod lost does not have a host assigned"),
            (f"{PODS}/lost/portforward", 400, "pod lost does not have a host assigned"),
        ):
            status = await (await site.call("POST", path, *SPDY)).status()
            assert (status["code"], status["message"]) == (code, words)
        status = await (await site.call("POST", exec_at("web"))).status()
        assert (status["code"], status["message"]) == (400, "Upgrade request required")
        half = [line for line in websocket("v5.channel.k8s.io") if "Key" not in line]
        assert (await (await site.call("GET", exec_at("web"), *half)).status())["code"] == 400
        assert not kubelet.asked

    near(scenario)


def test_an_init_or_named_container_is_asked_for_by_its_name() -> None:
    async def scenario(site: Site, kubelet: Runtime) -> None:
        for name in ("side", "init"):
            await (await site.call("POST", exec_at("two", f"container={name}"), *SPDY)).head()
        assert [asked.path for asked in kubelet.asked] == ["/exec/default/two/side", "/exec/default/two/init"]

    near(scenario)


def test_what_the_kubelet_refuses_reaches_a_spdy_client_in_its_words() -> None:
    async def refuse(request: Request) -> Response:
        return Response(500, b'container not found ("app")', {"content-type": "text/plain", "x-secret": "1"})

    async def scenario(site: Site) -> None:
        await site.world.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        await site.world.pod("web", nodeName="n1")
        status, headers, body = await (await site.call("POST", exec_at("web"), *SPDY)).answer()
        assert (status, body) == (500, b'container not found ("app")')
        assert "x-secret" not in headers and headers["connection"] == "close"
        status, _, body = await (
            await site.call("GET", f"{PODS}/web/portforward", *websocket("SPDY/3.1+portforward.k8s.io"))
        ).answer()
        assert (status, body) == (500, b'container not found ("app")'), "the handshake fails as the kubelet's does"

    story(scenario, dial_kubelet=lambda node: refuse)


@pytest.mark.parametrize(("verbs", "method", "allowed"), [("get", "GET", False), ("get create", "GET", True)])
def test_a_websocket_needs_the_right_to_create(verbs: str, method: str, allowed: bool) -> None:
    """AuthorizePodWebsocketUpgradeCreatePermission: on by default since 1.35."""

    async def scenario(site: Site, kubelet: Runtime) -> None:
        await site.world.make(f"{RBAC}/clusterroles", {"metadata": {"name": "r"}, "rules": [rule(verbs, "pods/exec")]})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}
        bound = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [subject]}
        await site.world.make(f"{RBAC}/clusterrolebindings", bound)
        for protocol in ("v4.channel.k8s.io", "v5.channel.k8s.io"):
            caller = await site.call(method, exec_at("web"), *websocket(protocol), token="eve")
            if allowed:
                assert (await caller.head())[0] == 101
            else:
                status = await caller.status()
                assert status["code"] == 403 and 'cannot create resource "pods/exec"' in status["message"]

    near(scenario)


def test_a_client_that_leaves_is_noticed_down_to_the_runtime() -> None:
    ended = asyncio.Event()

    async def listen(node: SpdyNode) -> None:
        assert await node.frame() is None
        ended.set()

    async def scenario(site: Site, kubelet: Runtime) -> None:
        caller = await site.call("POST", exec_at("web"), *SPDY)
        await caller.head()
        caller.writer.close()
        await ended.wait()
        while site.edge.connections:
            await asyncio.sleep(0.005)

    near(scenario, listen)
