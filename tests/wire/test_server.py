"""The HTTP edge with a real socket: what it understands, what it refuses, and which clients it drops."""

import asyncio
import contextlib
import time
from email.utils import parsedate_to_datetime

import orjson
import pytest

from homeostat.api import errors
from homeostat.wire.fields import json_response, text_response
from homeostat.wire.limits import Limits
from homeostat.wire.message import Response


async def echo(request):
    """Answers with what it got."""
    about = {"method": request.method, "path": request.path, "query": request.query, "headers": request.headers}
    return json_response(200, about | {"body": request.body.decode("latin-1")})


def test_a_request_arrives_whole(run):
    async def story(server):
        status, headers, body = await server.ask(
            "POST /api/v1/na%6Des%C3%A9?a=1&b=x%20y+z&a=2&flag HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-one: 2\r\n"
            "Content-Length: 5\r\n\r\nhello",
        )
        got = orjson.loads(body)
        assert (status, got["method"], got["path"], got["body"]) == (200, "POST", "/api/v1/namesé", "hello")
        assert got["query"] == {"a": "1", "b": "x y z", "flag": ""}
        assert got["headers"]["x-one"] == "1, 2"
        assert headers["content-type"] == "application/json"
        assert "date" in headers

    run(story, echo)


def test_a_connection_serves_many_requests_and_chunked_bodies_one_byte_at_a_time(run):
    async def story(server):
        caller = await server.call()
        head = b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for byte in head + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n":
            caller.send(bytes([byte]))
            await asyncio.sleep(0)
        assert orjson.loads((await caller.response())[2])["body"] == "abcdefg"
        caller.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n")
        assert orjson.loads((await caller.response())[2])["path"] == "/y"
        assert server.connections == 1

    run(story, echo)


def test_pipelined_requests_are_answered_in_order_even_when_the_first_takes_longest(run):
    async def slow_first(request):
        if request.path == "/0":
            await asyncio.sleep(0.05)
        return Response(200, request.path.encode())

    async def story(server):
        caller = await server.call()
        caller.send("".join(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(50)))
        assert [(await caller.response())[2] for n in range(50)] == [f"/{n}".encode() for n in range(50)]

    run(story, slow_first, limits=Limits(pipelined_max=4))


def test_head_has_the_length_and_no_body(run):
    async def story(server):
        caller = await server.call()
        caller.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        status, headers = await caller.head()
        assert status == 200
        assert int(headers["content-length"]) > 10
        assert (await caller.response())[0] == 200

    run(story, echo)


def test_http_1_0_closes_unless_asked_to_keep_alive(run):
    async def story(server):
        caller = await server.call()
        caller.send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (await caller.response())[1]["connection"] == "keep-alive"
        caller.send("GET /x HTTP/1.0\r\n\r\n")
        assert (await caller.response())[1]["connection"] == "close"
        assert await caller.closed() == b""

    run(story, echo)


def test_a_503_may_be_the_last_answer_of_its_connection(run):
    """So a server that cannot now sends its clients on: a load balancer finds another for their next connection."""

    async def busy(request):
        return Response(503, b"not now", {"connection": "close"})

    async def story(site):
        caller = await site.call()
        caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, _ = await caller.response()
        assert (status, headers["connection"]) == (503, "close")
        assert await caller.closed() == b""

    run(story, busy)


def test_connection_close_is_respected(run):
    async def story(server):
        caller = await server.call()
        caller.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await caller.response())[1]["connection"] == "close"
        assert await caller.closed() == b""

    run(story, echo)


def test_an_expected_continue_is_given_before_the_body_comes(run):
    async def story(server):
        caller = await server.call()
        caller.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await caller.head())[0] == 100
        caller.send("ok")
        assert orjson.loads((await caller.response())[2])["body"] == "ok"
        caller.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n")
        assert (await caller.head())[0] == 417

    run(story, echo)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("NONSENSE\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        ("GET /" + "x" * 70_000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 70_000 + "\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "a: b\r\n" * 3000 + "\r\n", 431),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ],
)
def test_what_is_malformed_or_too_large_is_refused_and_the_connection_closed(run, text, status):
    async def story(server):
        caller = await server.call()
        caller.send(text)
        got, headers, _ = await caller.response()
        assert (got, headers["connection"]) == (status, "close")
        assert await caller.closed() == b""

    run(story, echo, limits=Limits(linger_seconds=0.1))


def test_a_header_that_never_ends_is_refused(run):
    async def story(server):
        caller = await server.call()
        caller.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(40):
            caller.send("y" * 4096)
            await asyncio.sleep(0.001)
        assert (await caller.response())[0] == 431

    run(story, echo)


def test_an_oversize_body_is_refused_as_a_status_that_the_client_gets_to_see(run):
    """413 as from kube-apiserver, while the client is still sending: with and without a length."""

    async def story(server):
        for head in ("Content-Length: 8000000", "Transfer-Encoding: chunked"):
            caller = await server.call()
            caller.send(f"POST /x HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n")
            if "chunked" in head:
                caller.send("7a1200\r\n")
            try:
                for _ in range(80):
                    caller.send(b"x" * 100_000)
                    await caller.writer.drain()
            except ConnectionError:
                pass
            status, _, body = await caller.response()
            assert status == 413
            assert orjson.loads(body)["reason"] == "RequestEntityTooLarge"

    run(story, echo)


def test_a_body_of_just_the_limit_is_taken(run):
    async def story(server):
        size = Limits().body_bytes_max
        status, _, _ = await server.ask(f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n" + "x" * size)
        assert status == 200

    async def count(request):
        return text_response(200, str(len(request.body)))

    run(story, count)


def test_half_open_slow_and_idle_clients_are_dropped(run):
    async def story(server):
        silent, slow_head, slow_body, idle = [await server.call() for _ in range(4)]
        slow_head.send("GET / HT")
        slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await idle.response()
        for caller in (silent, slow_head, slow_body, idle):
            assert await caller.closed() == b""
        assert server.connections == 0

    run(story, echo, limits=Limits(header_seconds=0.2, body_seconds=0.2, idle_seconds=0.2))


def test_a_server_that_slept_without_clients_gives_each_its_full_time_and_still_drops_it(run):
    async def story(server):
        for _ in range(2):
            await asyncio.sleep(0.6)  # longer than a client may take: it counts against nobody
            caller = await server.call()
            caller.send("GET / HTTP/1.1\r\nHost: a\r\n")
            await asyncio.sleep(0.05)
            caller.send("\r\n")
            status, headers, _ = await caller.response()
            assert status == 200
            assert abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time()) < 2
            assert await caller.closed() == b""
        assert server.connections == 0

    run(story, echo, limits=Limits(header_seconds=0.5, idle_seconds=0.2))


def test_bytes_that_trickle_in_do_not_extend_the_deadline(run):
    async def story(server):
        caller = await server.call()
        text = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000
        sent = 0
        # The server closes with input unread: the end may be a reset.
        ended = asyncio.ensure_future(caller.reader.read())
        while not ended.done():
            # uvloop raises RuntimeError for a transport that has closed.
            with contextlib.suppress(ConnectionError, RuntimeError):
                caller.send(text[sent : sent + 1])
            sent += 1
            await asyncio.sleep(0.02)
        with contextlib.suppress(ConnectionError):
            await ended
        assert sent < len(text) / 10
        assert server.connections == 0

    run(story, echo, limits=Limits(header_seconds=0.3))


def test_a_request_under_way_is_not_cut_by_deadlines(run):
    async def slow(request):
        await asyncio.sleep(0.6)
        return Response(200, b"done")

    async def story(server):
        assert (await server.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[2] == b"done"

    run(story, slow, limits=Limits(header_seconds=0.1, body_seconds=0.1, idle_seconds=0.1))


def test_too_many_connections_are_turned_away(run):
    async def story(server):
        kept = [await server.call() for _ in range(2)]
        for caller in kept:
            caller.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await caller.response())[0] == 200
        extra = await server.call()
        assert (await extra.response())[0] == 503
        kept[0].writer.close()
        while server.connections > 1:
            extra.writer.close()
            await asyncio.sleep(0.01)
        assert (await server.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 200

    run(story, echo, limits=Limits(connections_max=2))


def test_errors_of_handlers_become_statuses_and_spare_the_connection(run):
    async def broken(request):
        if request.path == "/api":
            raise errors.too_many_requests("slow down", retry_after_seconds=3)
        if request.path == "/split":
            return Response(200, b"body", {"warning": "299 - x\r\nset-cookie: a=b"})
        raise RuntimeError("boom")

    async def story(server):
        caller = await server.call()
        caller.send("".join(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in ("api", "bug", "split")))
        status, headers, body = await caller.response()
        assert (status, headers["retry-after"], orjson.loads(body)["message"]) == (429, "3", "slow down")
        status, _, body = await caller.response()
        assert (status, orjson.loads(body)["reason"]) == (500, "InternalError")
        status, headers, body = await caller.response()
        assert (status, body) == (200, b"body")
        assert "set-cookie" not in headers

    run(story, broken)


def test_an_upgrade_is_answered_in_http_and_the_connection_closed(run):
    async def story(server):
        caller = await server.call()
        caller.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0")
        assert (await caller.response())[0] == 200
        assert await caller.closed() == b""

    run(story, echo)
