"""The HTTP transport against real servers on loopback: reuse, failover, silence, streams."""

import asyncio
import contextlib
import socket

import orjson
import pytest
import uvloop

from homeostat.api.kinds import Kind
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Unreachable
from homeostat.client.http import HttpTransport, Timing
from homeostat.wire import pki
from homeostat.wire.fields import json_response, text_response
from homeostat.wire.http_server import serve
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response
from homeostat.wire.tls import client_context, server_context

POD = Kind("", "v1", "Pod", "pods", "pod", namespaced=True)
QUICK = Timing(connect=1.0, answer=0.3, watch=0.3, idle=60.0)
SECONDS_MAX = 20


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    def run_story(story):
        async def main():
            async with asyncio.timeout(SECONDS_MAX):
                await story()

        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())

    return run_story


class Api:
    """A server that answers with its name, after `wait`; `requests` has what came."""

    def __init__(self, name="a"):
        self.name, self.requests, self.wait, self.response = name, [], asyncio.Event(), None
        self.wait.set()

    async def __call__(self, request):
        self.requests.append(request)
        await self.wait.wait()
        return self.response or json_response(200, {"server": self.name})


@contextlib.asynccontextmanager
async def servers(*handlers, tls=None, timing=QUICK, **options):
    """The servers, and a transport that knows all of them."""
    running = [await serve(handler, tls=tls, limits=options.pop("limits", None)) for handler in handlers]
    scheme = "https" if tls else "http"
    transport = HttpTransport([f"{scheme}://127.0.0.1:{s.port}" for s in running], timing=timing, **options)
    try:
        yield running, transport
    finally:
        await transport.close()
        for server in running:
            await server.close(grace_seconds=0)


async def get(transport, path="/x", **query):
    return await transport.send(Request("GET", path, query), repeatable=True)


async def post(transport, *, repeatable=False):
    return await transport.send(Request("POST", "/x", body=b"{}"), repeatable=repeatable)


def closing_after(count):
    """A fence that lets so many requests leave."""
    left = iter(range(count))

    def fence():
        if next(left, None) is None:
            raise Unreachable("no longer")

    return fence


def dead_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_a_request_arrives_as_it_was_made(run):
    async def story():
        api = Api()
        async with servers(api, token="secret") as (_, transport):
            query = {"labelSelector": "a in (b, c),d=é&+", "limit": "5"}
            request = Request("POST", "/api/v1/é x", query, {"x-a": "1", "homeostat-cause": "{}"}, b"body")
            response = await transport.send(request, repeatable=False)
            assert orjson.loads(response.body) == {"server": "a"}
            assert response.headers["content-type"] == "application/json"
            (got,) = api.requests
            assert (got.method, got.path, got.query, got.body) == ("POST", request.path, query, b"body")
            assert (got.headers["x-a"], got.headers["authorization"]) == ("1", "Bearer secret")
            assert got.headers["host"].startswith("127.0.0.1:")

    run(story)


def test_a_token_that_is_renewed_is_used_from_then_on(run):
    """A ServiceAccount's token is a file that the kubelet renews long before it expires."""

    async def story():
        api, tokens = Api(), iter(["first", "second"])
        async with servers(api, token=lambda: next(tokens)) as (_, transport):
            await get(transport)
            await get(transport)
        assert [request.headers["authorization"] for request in api.requests] == ["Bearer first", "Bearer second"]

    run(story)


def test_connections_are_reused(run):
    async def story():
        async with servers(Api()) as (running, transport):
            for _ in range(20):
                await get(transport)
            assert running[0].connections == 1
            await asyncio.gather(*[get(transport) for _ in range(5)])
            assert running[0].connections == 5

    run(story)


def test_a_body_that_came_in_pieces_gives_its_connection_back(run):
    async def story():
        async with servers(Api()) as ((server,), transport):
            used = set()
            for _ in range(5):
                response = await transport.stream(Request("GET", "/x"), repeatable=True)
                assert b"".join([piece async for piece in response.body]) == b'{"server":"a"}'
                used |= server._edge.connections
            assert len(used) == 1

    run(story)


def test_an_unanswered_request_says_whether_it_may_have_been_carried_out(run):
    async def story():
        api = Api()
        async with servers(api) as ((server,), transport):
            api.wait.clear()
            with pytest.raises(Unreachable) as caught:
                await transport.stream(Request("POST", "/x"))
            assert caught.value.sent
            await server.close(grace_seconds=0)
            with pytest.raises(Unreachable) as caught:
                await transport.stream(Request("POST", "/x"))
            assert not caught.value.sent

    run(story)


def test_many_requests_at_once_share_a_bounded_number_of_connections(run):
    async def story():
        async with servers(Api(), connections_max=4) as (running, transport):
            answers = await asyncio.gather(*[get(transport) for _ in range(200)])
            assert {answer.status for answer in answers} == {200}
            assert running[0].connections == 4

    run(story)


def test_a_refused_connection_leads_to_the_next_server_for_any_request(run):
    async def story():
        api = Api()
        server = await serve(api)
        transport = HttpTransport([f"http://127.0.0.1:{dead_port()}", f"http://127.0.0.1:{server.port}"])
        assert (await post(transport)).status == 200
        assert (await post(transport)).status == 200
        assert len(api.requests) == 2
        await transport.close()
        await server.close(grace_seconds=0)

    run(story)


def test_a_server_that_dies_under_a_request_is_followed_by_the_next_when_that_is_safe(run):
    async def story():
        first, second = Api("a"), Api("b")
        first.wait.clear()
        async with servers(first, second) as (running, transport):
            reading, writing = asyncio.ensure_future(get(transport)), asyncio.ensure_future(post(transport))
            while len(first.requests) < 2:
                await asyncio.sleep(0.005)
            await running[0].close(grace_seconds=0)
            assert orjson.loads((await reading).body) == {"server": "b"}
            with pytest.raises(Unreachable):
                await writing
            assert [request.method for request in second.requests] == ["GET"]
            assert orjson.loads((await post(transport)).body) == {"server": "b"}

    run(story)


def test_a_server_that_accepts_and_never_answers_is_passed_over(run):
    async def story():
        first, second = Api("a"), Api("b")
        first.wait.clear()
        async with servers(first, second) as (_, transport):
            assert orjson.loads((await get(transport)).body) == {"server": "b"}
            for _ in range(10):
                await get(transport)
            assert len(first.requests) == 1

    run(story)


def test_a_slow_answer_that_keeps_coming_is_not_silence(run):
    async def trickle(request):
        async def body():
            for _ in range(8):
                await asyncio.sleep(0.1)
                yield b"x"

        return Response(200, body())

    async def story():
        async with servers(trickle) as (_, transport):
            assert (await get(transport)).body == b"xxxxxxxx"

    run(story)


def test_503_leads_to_the_next_server_for_what_is_safe(run):
    async def story():
        first, second = Api("a"), Api("b")
        first.response = text_response(503, "going down")
        async with servers(first, second) as (_, transport):
            assert (await post(transport)).status == 503
            assert (await get(transport)).status == 200
            second.response = first.response
            assert (await get(transport)).status == 503

    run(story)


def test_a_server_that_comes_back_is_used_when_the_other_one_goes(run):
    async def story():
        first, second = Api("a"), Api("b")
        async with servers(first, second) as (running, transport):
            await get(transport)
            port = running[0].port
            await running[0].close(grace_seconds=0)
            assert orjson.loads((await get(transport)).body) == {"server": "b"}
            again = await serve(first, port=port)
            await running[1].close(grace_seconds=0)
            assert orjson.loads((await get(transport)).body) == {"server": "a"}
            await again.close(grace_seconds=0)

    run(story)


def test_no_server_at_all_is_unreachable_and_says_why(run):
    async def story():
        transport = HttpTransport([f"http://127.0.0.1:{dead_port()}"])
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:\d+"):
            await get(transport)
        await transport.close()
        with pytest.raises(Unreachable, match="closed"):
            await get(transport)

    run(story)


def test_what_speaks_no_http_is_unreachable(run):
    async def nonsense(reader, writer):
        writer.write(b"\x00\x01 hello\r\n\r\n")

    async def story():
        server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
        transport = HttpTransport([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"], timing=QUICK)
        with pytest.raises(Unreachable, match="not HTTP"):
            await get(transport)
        await transport.close()
        server.close()

    run(story)


def test_a_kept_connection_that_the_server_closed_costs_nothing(run):
    async def story():
        async with servers(Api(), limits=Limits(idle_seconds=0.05)) as (running, transport):
            await get(transport)
            # Until the client has noticed it too: before that, a POST must not be sent again.
            while running[0].connections or transport._open:
                await asyncio.sleep(0.005)
            assert (await post(transport)).status == 200

    run(story)


def test_a_kept_connection_closed_in_the_moment_of_use_is_replaced_for_what_is_safe(run):
    """A server may close a kept connection while the next request is already on its way."""

    async def once(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def story():
        server = await asyncio.start_server(once, "127.0.0.1", 0)
        transport = HttpTransport([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"])
        for _ in range(4):
            assert (await get(transport)).body == b"ok"
        with pytest.raises(Unreachable):
            await transport.send(Request("DELETE", "/x"), repeatable=False)
        await transport.close()
        server.close()

    run(story)


def test_other_shapes_of_responses(run):
    answers = {
        "/until-close": b"HTTP/1.1 200 OK\r\n\r\nall",
        "/continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nall",
        "/chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nal\r\n1\r\nl\r\n0\r\n\r\n",
        "/more-than-asked": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nallHTTP/1.1 500 No\r\n\r\n",
    }

    async def fixed(reader, writer):
        line = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(answers[line.split()[1]])
        await writer.drain()
        writer.close()

    async def story():
        server = await asyncio.start_server(fixed, "127.0.0.1", 0)
        transport = HttpTransport([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"], timing=QUICK)
        for path in answers:
            response = await get(transport, path)
            assert (response.status, response.body) == (200, b"all"), path
        await transport.close()
        server.close()

    run(story)


def test_head_has_no_body(run):
    async def story():
        async with servers(Api()) as (_, transport):
            for _ in range(2):
                response = await transport.send(Request("HEAD", "/x"), repeatable=True)
                assert (response.status, response.body) == (200, b"")

    run(story)


def feed(events):
    async def handle(request):
        async def stream():
            while (event := await events.get()) is not None:
                yield event

        return Response(200, stream())

    return handle


def test_a_watch_gives_events_as_they_come_and_its_connection_back_at_its_end(run):
    async def story():
        events = asyncio.Queue()
        async with servers(feed(events)) as (running, transport):
            client = ApiClient(transport)
            events.put_nowait(b'{"type":"ADDED","object":{"n":1}}\n')
            got = []
            async for event in client.watch(POD, resource_version="0"):
                got.append(event.obj["n"])
                events.put_nowait(b'{"type":"ADDED","object":{"n":2}}\n' if len(got) == 1 else None)
            assert got == [1, 2]
            events.put_nowait(None)
            async for event in client.watch(POD, resource_version="0"):
                got.append(event)
            assert running[0].connections == 1

    run(story)


def test_a_silent_watch_and_a_broken_watch_are_unreachable(run):
    async def story():
        events = asyncio.Queue()
        async with servers(feed(events)) as (_, transport):
            client = ApiClient(transport)
            with pytest.raises(Unreachable, match="no answer"):
                async for _ in client.watch(POD, resource_version="0"):
                    pass
            events.put_nowait(b'{"type":"ADDED","object":{}}\n')
            with pytest.raises(Unreachable, match="broke"):
                async for _ in client.watch(POD, resource_version="0"):
                    for connection in list(transport._open):
                        connection.close()

    run(story)


def test_the_kernel_of_a_silent_server_is_asked_whether_it_knows_the_connection(run):
    """A machine without power says nothing, and one that is back answers for connections it does not know."""

    async def story():
        async with servers(Api()) as (_, transport):
            await transport.send(Request("GET", "/"), repeatable=True)
            (connection,) = transport._open
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            tcp = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            idle, interval, probes = (sock.getsockopt(socket.IPPROTO_TCP, option) for option in tcp)
            assert idle + interval * probes <= 15

    run(story)


def test_leaving_a_watch_ends_it_on_the_server(run):
    async def story():
        events = asyncio.Queue()
        async with servers(feed(events)) as (running, transport):
            events.put_nowait(b'{"type":"ADDED","object":{}}\n')
            stream = ApiClient(transport).watch(POD, resource_version="0")
            await anext(stream)
            await stream.aclose()
            while running[0].connections:
                await asyncio.sleep(0.005)

    run(story)


def test_a_cancelled_request_leaves_nothing_behind(run):
    async def story():
        api = Api()
        api.wait.clear()
        async with servers(api) as (running, transport):
            waiting = asyncio.ensure_future(get(transport))
            while not api.requests:
                await asyncio.sleep(0.005)
            waiting.cancel()
            while running[0].connections:
                await asyncio.sleep(0.005)
            api.wait.set()
            assert (await get(transport)).status == 200

    run(story)


def test_an_unread_stream_is_not_buffered_without_bound(run):
    sent = []

    async def flood(request):
        async def stream():
            while True:
                sent.append(1)
                yield b"x" * 50_000

        return Response(200, stream())

    async def story():
        timing = Timing(watch=10)
        async with servers(flood, timing=timing) as (_, transport):
            response = await get(transport, follow="true")
            await anext(response.body)
            await asyncio.sleep(0.3)
            assert len(sent) < 1000
            before = len(sent)
            for _ in range(20):
                await anext(response.body)
            await asyncio.sleep(0.05)
            assert len(sent) > before
            await response.body.aclose()

    run(story)


def test_client_certificates_are_shown_and_strangers_distrusted(run, tmp_path):
    ca, other = pki.make_authority("ca"), pki.make_authority("other")
    pairs = {
        "ca": ca,
        "other": other,
        "server": pki.issue(ca, "api", names=["127.0.0.1"], server=True),
        "client": pki.issue(ca, "me", organizations=["we"], client=True),
    }
    for name, pair in pairs.items():
        (tmp_path / f"{name}.crt").write_bytes(pair.certificate)
        (tmp_path / f"{name}.key").write_bytes(pair.key)

    async def story():
        api = Api()
        tls = server_context(tmp_path / "server.crt", tmp_path / "server.key", client_ca=tmp_path / "ca.crt")
        server = await serve(api, tls=tls)
        url = f"https://127.0.0.1:{server.port}"
        trusting = client_context(tmp_path / "ca.crt", certificate=tmp_path / "client.crt", key=tmp_path / "client.key")
        transport = HttpTransport([url], tls=trusting)
        assert (await get(transport)).status == 200
        assert (api.requests[0].peer.name, api.requests[0].peer.groups) == ("me", ("we",))
        distrusting = HttpTransport([url], tls=client_context(tmp_path / "other.crt"))
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await get(distrusting)
        await transport.close()
        await server.close(grace_seconds=0)

    run(story)


def test_bad_addresses_and_headers_are_refused(run):
    async def story():
        for url in ("127.0.0.1:80", "ftp://x", "https://x"):
            with pytest.raises(ValueError):
                HttpTransport([url])
        with pytest.raises(ValueError, match="at least one"):
            HttpTransport([])
        transport = HttpTransport([f"http://127.0.0.1:{dead_port()}"])
        with pytest.raises(ValueError, match="line break"):
            await transport.send(Request("GET", "/x", {}, {"a": "b\r\nc: d"}), repeatable=True)

    run(story)


def test_a_fence_is_asked_when_a_request_leaves_not_when_it_begins_to_wait(run):
    async def story():
        api = Api()
        api.wait.clear()
        allowed = True

        def fence():
            if not allowed:
                raise Unreachable("no longer")

        async with servers(api, connections_max=1) as (_, transport):
            write = Request("POST", "/x", body=b"{}")
            both = [asyncio.ensure_future(transport.send(write, repeatable=True, fence=fence)) for _ in range(2)]
            while not api.requests:
                await asyncio.sleep(0.001)
            allowed = False
            api.wait.set()
            first, second = await asyncio.gather(*both, return_exceptions=True)
            assert first.status == 200
            assert isinstance(second, Unreachable)
            assert len(api.requests) == 1

    run(story)


def test_a_fence_is_asked_again_before_a_request_is_repeated(run):
    async def story():
        refusing, other = Api("a"), Api("b")
        refusing.response = text_response(503, "not now")
        async with servers(refusing, other) as (_, transport):
            with pytest.raises(Unreachable, match="no longer"):
                await transport.send(Request("PUT", "/x", body=b"{}"), repeatable=True, fence=closing_after(1))
            assert len(refusing.requests) == 1
            assert not other.requests
            # What did not leave has left no half-used connection behind.
            assert (await get(transport)).status == 200

    run(story)
