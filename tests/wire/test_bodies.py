"""Bodies are read when a handler asks for them, within a server's room, and not before."""

import asyncio
import contextlib

import orjson

from homeostat.wire.limits import Limits
from homeostat.wire.message import Response

POST = "POST /x HTTP/1.1\r\nHost: a\r\n"


async def guard(request):
    """Lets nobody in without a key, and says how much it was sent."""
    if "key" not in request.headers:
        return Response(403, b"no")
    await request.take_body()
    return Response(200, str(len(request.body)).encode())


def test_who_may_not_is_answered_before_the_body_comes(run):
    async def story(server):
        for more in ("", "Expect: 100-continue\r\n"):
            caller = await server.call()
            caller.send(f"{POST}{more}Content-Length: 1000000\r\n\r\n")
            status, headers, body = await caller.response()
            assert (status, headers["connection"], body) == (403, "close", b"no")
            assert await caller.closed() == b""

    run(story, guard, bodies_on_demand=True, limits=Limits(linger_seconds=0.1))


def test_a_refused_client_that_goes_on_sending_sees_the_answer_and_is_dropped(run):
    async def story(server):
        caller = await server.call()
        caller.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n")
        assert (await caller.response())[0] == 403
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not caller.writer.is_closing():
                caller.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await caller.writer.drain()
        await server.no_connections()
        assert server.server.room.held == 0

    run(story, guard, bodies_on_demand=True, limits=Limits(linger_seconds=0.1))


def test_a_refused_request_whose_body_is_there_keeps_its_connection(run):
    async def story(server):
        caller = await server.call()
        for _ in range(2):
            caller.send(f"{POST}Content-Length: 2\r\n\r\n{{}}")
            status, headers, _ = await caller.response()
            assert status == 403 and "connection" not in headers

    run(story, guard, bodies_on_demand=True)


def test_a_body_is_taken_in_parts_and_the_next_request_follows_it(run):
    async def story(server):
        caller = await server.call()
        for size in (300_000, 1_000_000):
            caller.send(f"{POST}Key: 1\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n")
            assert (await caller.head())[0] == 100
            caller.send(b"x" * size + f"{POST}Key: 1\r\nContent-Length: 100000\r\n\r\n".encode() + b"y" * 50_000)
            assert (await caller.response())[2] == str(size).encode()
            caller.send(b"y" * 50_000)
            assert (await caller.response())[2] == b"100000"
        assert server.server.room.held == 0

    run(story, guard, bodies_on_demand=True)


def test_all_bodies_of_a_server_share_one_room(run):
    async def story(server):
        head = f"{POST}Key: 1\r\nContent-Length: 300000\r\n\r\n"
        first, second = [await server.call() for _ in range(2)]
        first.send(head.encode() + b"x" * 299_999)
        while server.server.room.held < 299_999:
            await asyncio.sleep(0.005)
        second.send(head.encode() + b"x" * 150_000)
        status, headers, body = await second.response()
        answer = orjson.loads(body)
        assert (status, answer["reason"], headers["retry-after"]) == (429, "TooManyRequests", "1")
        first.send(b"x")
        assert (await first.response())[0] == 200
        third = await server.call()
        third.send(head.encode() + b"x" * 300_000)
        assert (await third.response())[0] == 200
        assert server.server.room.held == 0

    run(story, guard, bodies_on_demand=True, limits=Limits(bodies_bytes_max=400_000))


def test_a_body_that_dribbles_in_ends_with_its_time(run):
    async def story(server):
        caller = await server.call()
        caller.send(f"{POST}Key: 1\r\nContent-Length: 100000\r\n\r\n")
        sent = 0
        # The server closes with input unread: the end may be a reset.
        ended = asyncio.ensure_future(caller.reader.read())
        while not ended.done():
            # uvloop raises RuntimeError for a transport that has closed.
            with contextlib.suppress(ConnectionError, RuntimeError):
                caller.send("x")
            sent += 1
            await asyncio.sleep(0.02)
        with contextlib.suppress(ConnectionError):
            await ended
        assert sent < 1000
        await server.no_connections()
        assert server.server.room.held == 0

    run(story, guard, bodies_on_demand=True, limits=Limits(body_seconds=0.3))


def test_a_malformed_body_is_a_status(run):
    async def story(server):
        caller = await server.call()
        caller.send(f"{POST}Key: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab")
        await asyncio.sleep(0)
        caller.send("cd\r\nnonsense\r\n")
        status, headers, body = await caller.response()
        assert (status, orjson.loads(body)["reason"], headers["connection"]) == (400, "BadRequest", "close")

    run(story, guard, bodies_on_demand=True)
