"""The lab's proxy to registries: what it forwards, what it refuses and how it says so, and its bounds."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import pytest

from homeostat.lab.images.build import build
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree
from homeostat.lab.links.pull_proxy import Bounds, Dial, PullProxy, dial_outside, hand_over, serve
from homeostat.runtime.cri import cri_pb2
from tests.support.containerd import Containerd, containerd
from tests.support.registry import Registry, registry

Opened = tuple[StreamReader, StreamWriter]
Enter = Callable[[], Awaitable[Opened]]


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener


@asynccontextmanager
async def _proxy(*, bounds: Bounds | None = None, dial: Dial | None = None) -> AsyncIterator[Enter]:
    """A proxy; yields what opens a connection to it."""
    listener = _listening()
    port = listener.getsockname()[1]
    # What these stories reach is on loopback.
    proxy = PullProxy(bounds=bounds or Bounds(), dial=dial or asyncio.open_connection)
    await proxy.listen(listener)
    try:
        yield lambda: asyncio.open_connection("127.0.0.1", port)
    finally:
        await proxy.close()


@asynccontextmanager
async def _origin(answer: Callable[[bytes], bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each connection's first block once; yields its port and the blocks."""
    blocks: list[bytes] = []

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        blocks.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(blocks[-1]))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], blocks
    finally:
        server.close()


async def _ask(opened: Opened, request: bytes) -> bytes:
    reader, writer = opened
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def _refused(error: OSError) -> Dial:
    async def dial(host: str, port: int) -> Opened:
        raise error

    return dial


async def _never(host: str, port: int) -> Opened:
    await asyncio.Event().wait()
    raise AssertionError


async def _forwarded() -> None:
    async with (
        _origin(lambda _: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello") as (port, blocks),
        _proxy() as enter,
    ):
        request = b"GET http://127.0.0.1:%d/v2/a?b=c HTTP/1.1\r\nHost: it\r\nProxy-Authorization: x\r\n" % port
        answer = await _ask(await enter(), request + b"Accept: y\r\nConnection: keep-alive\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nhello")
    assert blocks == [b"GET /v2/a?b=c HTTP/1.1\r\nHost: it\r\nAccept: y\r\nConnection: close\r\n\r\n"]


def test_a_plain_request_reaches_its_host_without_what_was_for_the_proxy() -> None:
    """RFC 9110, 7.6.1: fields of the connection are not forwarded."""
    asyncio.run(_forwarded())


def test_connect_carries_bytes_both_ways() -> None:
    """RFC 9110, 9.3.6."""

    async def story() -> None:
        async def echo(reader: StreamReader, writer: StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with _proxy() as enter:
            reader, writer = await enter()
            writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: it\r\n\r\n" % port)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
            body = b"x" * 3_000_000
            writer.write(body)
            writer.write_eof()
            assert await reader.read() == body.upper()
            writer.close()
        server.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (socket.gaierror(-2, "unknown"), b"502", b"the name registry.test is not known here"),
        (OSError(errno.ENETUNREACH, "unreachable"), b"502", b"there is no way to registry.test from here"),
        (OSError(errno.EHOSTUNREACH, "unreachable"), b"502", b"homeostat image load FILE"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), b"502", b"registry.test:443 cannot be reached: Conn"),
    ],
)
def test_a_registry_out_of_reach_is_explained_where_the_engine_shows_it(
    error: OSError, status: bytes, said: bytes
) -> None:
    """Go's client shows a failed CONNECT's reason phrase and nothing else, so the explanation is there."""

    async def story() -> bytes:
        async with _proxy(dial=_refused(error)) as enter:
            return await _ask(await enter(), b"CONNECT registry.test:443 HTTP/1.1\r\n\r\n")

    line = asyncio.run(story()).split(b"\r\n")[0]
    assert line.startswith(b"HTTP/1.1 " + status + b" homeostat: ")
    assert said in line


def test_a_registry_that_does_not_answer_is_given_up() -> None:
    async def story() -> bytes:
        async with _proxy(dial=_never, bounds=Bounds(dial_seconds=0.01)) as enter:
            return await _ask(await enter(), b"CONNECT registry.test:443 HTTP/1.1\r\n\r\n")

    assert asyncio.run(story()).startswith(b"HTTP/1.1 504 homeostat: registry.test:443 does not answer")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET https://a/ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET http://user@a/ HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT a:0 HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT a:99999 HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT a:b:c HTTP/1.1\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\n", b"400"),
        (b"\x16\x03\x01 no http\r\n\r\n", b"400"),
        (b"GET http://a/ HTTP/1.1\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_no_proxy_request_is_refused(request_head: bytes, status: bytes) -> None:
    async def story() -> bytes:
        async with _proxy(dial=_never) as enter:
            return await _ask(await enter(), request_head)

    assert asyncio.run(story()).startswith(b"HTTP/1.1 " + status)


def test_a_client_that_says_nothing_is_not_waited_for_for_ever() -> None:
    async def story() -> bytes:
        async with _proxy(bounds=Bounds(head_seconds=0.01)) as enter:
            return await _ask(await enter(), b"")

    assert asyncio.run(story()).startswith(b"HTTP/1.1 408")


def test_a_pull_that_comes_to_a_stop_is_dropped() -> None:
    async def story() -> bytes:
        async def silent(reader: StreamReader, writer: StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with _proxy(bounds=Bounds(idle_seconds=0.05)) as enter:
            answer = await _ask(await enter(), b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
        server.close()
        return answer

    assert asyncio.run(story()) == b"HTTP/1.1 200 Connection established\r\n\r\n"


def test_connections_above_the_limit_are_asked_to_retry() -> None:
    async def story() -> bytes:
        async with _proxy(dial=_never, bounds=Bounds(connections_max=1)) as enter:
            _, writer = await enter()
            writer.write(b"CONNECT a:1 HTTP/1.1\r\n\r\n")
            answer = await _ask(await enter(), b"CONNECT a:1 HTTP/1.1\r\n\r\n")
            writer.close()
            return answer

    assert asyncio.run(story()).startswith(b"HTTP/1.1 503 homeostat: more than 1 pulls at once")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"])
def test_the_host_s_own_loopback_is_out_of_reach(host: str) -> None:
    """Pods can use the proxy, too; what listens on loopback is meant for the host alone."""

    async def story() -> bytes:
        with _listening() as listener:
            port = listener.getsockname()[1]
            async with _proxy(dial=dial_outside) as enter:
                return await _ask(await enter(), f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())

    assert b"it is the loopback of the lab's host" in asyncio.run(story()).split(b"\r\n")[0]


def test_the_proxy_s_process_serves_on_what_it_is_handed_until_its_maker_is_gone() -> None:
    """The socket is made inside the lab's network, the process stays outside; a descriptor crosses between them."""
    ours, theirs = socket.socketpair()
    process = threading.Thread(target=serve, args=(theirs,))
    process.start()
    with _listening() as listener:
        address = listener.getsockname()
        hand_over(ours, listener)
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 homeostat: ")
    ours.close()
    process.join(10)
    assert not process.is_alive()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=10)
    theirs.close()


_CREDENTIALS = "puller:open sesame"


@pytest.fixture
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Containerd, Registry]]:
    """A containerd that knows no way out but the proxy, and a registry behind that, under a name of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    tree = Tree()
    tree.text("hello", "hello\n")
    archive = build(ImageSpec("registry.test/app:1", (tree,)))
    hosts = tmp_path / "hosts" / "registry.test"
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text('[host."http://registry.test"]\ncapabilities = ["pull", "resolve"]\n')
    with registry(archive, credentials=_CREDENTIALS) as server, _in_a_thread(server.port) as url:
        proxy = {"HTTP_PROXY": url, "HTTPS_PROXY": url}
        with containerd(tmp_path / "node", env=proxy, registries=hosts.parent) as node:
            yield node, server


@contextmanager
def _in_a_thread(port: int) -> Iterator[str]:
    """A proxy that runs in a thread and finds `registry.test` at a port of loopback; yields its URL."""

    async def dial(host: str, _port: int) -> Opened:
        if host != "registry.test":
            raise socket.gaierror(-2, "unknown")
        return await asyncio.open_connection("127.0.0.1", port)

    listener = _listening()
    loop = asyncio.new_event_loop()
    proxy = PullProxy(dial=dial)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(proxy.listen(listener), loop).result(10)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _pull(node: Containerd, image: str, credentials: str = "") -> None:
    user, _, password = credentials.partition(":")
    auth = cri_pb2.AuthConfig(username=user, password=password) if credentials else None
    wanted = cri_pb2.PullImageRequest(image=cri_pb2.ImageSpec(image=image), auth=auth)
    node.cri("ImageService/PullImage", wanted.SerializeToString())


@pytest.mark.real
def test_an_engine_pulls_through_the_proxy_with_its_pull_secret(pulled: tuple[Containerd, Registry]) -> None:
    """Images, Using a private registry: without the Secret's credentials the registry refuses."""
    node, server = pulled
    with pytest.raises(grpc.RpcError, match=r"401|authorization"):
        _pull(node, "registry.test/app:1")
    _pull(node, "registry.test/app:1", _CREDENTIALS)
    assert b"registry.test/app:1" in node.cri("ImageService/ListImages")
    assert any("/blobs/" in line for line in server.seen)


@pytest.mark.real
def test_the_proxys_reason_is_shown_in_the_pods_status(pulled: tuple[Containerd, Registry]) -> None:
    node, _ = pulled
    with pytest.raises(grpc.RpcError, match=r"the name elsewhere\.test is not known here.*homeostat image load FILE"):
        _pull(node, "elsewhere.test/app:1")
