"""Streamed responses: flow, back pressure, and what happens when the client or the server leaves."""

import asyncio
import socket

import pytest

from homeostat.wire.limits import Limits
from homeostat.wire.message import Response


class Feed:
    """A handler whose streams give what is put into `events`; knows how often it was pulled and closed."""

    def __init__(self):
        self.events = asyncio.Queue()
        self.pulled = self.closed = 0

    async def __call__(self, request):
        async def stream():
            try:
                while (event := await self.events.get()) is not None:
                    self.pulled += 1
                    yield event
            finally:
                self.closed += 1

        return Response(200, stream(), {"content-type": "application/json"})


WATCH = "GET /x?watch=true HTTP/1.1\r\nHost: a\r\n\r\n"


def test_events_arrive_as_they_happen_and_the_connection_can_be_used_again(run):
    feed = Feed()

    async def story(site):
        caller = await site.call()
        caller.send(WATCH)
        status, headers = await caller.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        for event in (b"one\n", b"two\n"):
            feed.events.put_nowait(event)
            assert await caller.reader.readexactly(9) == b"4\r\n" + event + b"\r\n"
        feed.events.put_nowait(b"")  # an empty chunk would end the stream: it is skipped
        feed.events.put_nowait(None)
        assert await caller.reader.readexactly(5) == b"0\r\n\r\n"
        feed.events.put_nowait(None)
        caller.send(WATCH)
        assert (await caller.response())[2] == b""
        assert feed.closed == 2

    run(story, feed)


def test_what_happens_in_one_turn_of_the_loop_leaves_in_one_write(run):
    feed = Feed()

    async def story(site):
        caller = await site.call()
        caller.send(WATCH)
        await caller.head()
        for _ in range(100):
            feed.events.put_nowait(b"event\n")
        got = await caller.reader.read(100_000)
        assert got.count(b"event") == 100

    run(story, feed)


class Live:
    """A handler of one stream that first yields `first` and then only pushes, until `ended`."""

    def __init__(self, first=b""):
        self.first = first
        self.push = None
        self.ended = asyncio.Event()

    async def __call__(self, request):
        async def stream():
            yield self.first
            await self.ended.wait()
            yield b"last"

        def live(push):
            self.push = push

        return Response(200, stream(), {}, live)


def test_pushed_chunks_go_between_those_of_the_iterator(run):
    live = Live(b"first")

    async def story(site):
        caller = await site.call()
        caller.send(WATCH)
        await caller.head()
        assert await caller.reader.readexactly(10) == b"5\r\nfirst\r\n"
        chunk = b"pushed by its producer"
        assert live.push(chunk) and live.push(chunk)
        live.ended.set()
        sent = b"16\r\n" + chunk + b"\r\n"
        assert await caller.reader.readexactly(2 * len(sent)) == 2 * sent
        assert await caller.reader.readexactly(14) == b"4\r\nlast\r\n0\r\n\r\n"
        caller.send(WATCH)
        await caller.head()

    run(story, live)


def test_a_push_is_not_taken_before_what_is_queued_nor_by_a_client_that_does_not_read(run):
    live = Live(b"first")

    async def story(site):
        sock = small_receiver(site)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", site.port))
        _, writer = await asyncio.open_connection(sock=sock, limit=1024)
        writer.write(WATCH.encode())
        while live.push is None:
            await asyncio.sleep(0)
        # The head and the first chunk are still on their way.
        assert not live.push(b"w")
        await asyncio.sleep(0.01)
        pushes = 0
        while live.push(b"x" * 100_000):
            pushes += 1
            assert pushes < 1000
            await asyncio.sleep(0)
        assert not live.push(b"y")
        writer.close()
        live.ended.set()
        await site.no_connections()
        assert not live.push(b"z")

    run(story, live)


def test_http_1_0_is_not_pushed_to(run):
    live = Live(b"first")
    live.ended.set()

    async def story(site):
        caller = await site.call()
        caller.send("GET /x?watch=true HTTP/1.0\r\n\r\n")
        await caller.head()
        assert await caller.closed() == b"firstlast"
        assert live.push is None

    run(story, live)


def test_when_the_client_leaves_the_stream_is_closed(run):
    feed = Feed()

    async def story(site):
        caller = await site.call()
        caller.send(WATCH)
        await caller.head()
        caller.writer.close()
        await site.no_connections()
        await asyncio.sleep(0.01)
        assert feed.closed == 1

    run(story, feed)


def test_when_the_client_leaves_a_request_under_way_is_cancelled(run):
    ends = []

    async def slow(request):
        try:
            await asyncio.sleep(60)
        finally:
            ends.append("cancelled")

    async def story(site):
        caller = await site.call()
        caller.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.02)
        caller.writer.close()
        while not ends:
            await asyncio.sleep(0.005)

    run(story, slow)


def small_receiver(site):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.setblocking(False)
    return sock


def test_a_slow_reader_stops_the_stream_and_is_dropped_after_a_while(run):
    """Bounded memory: the iterator is pulled no further than the buffers reach."""
    pulled = []

    async def flood(request):
        async def stream():
            while True:
                pulled.append(1)
                yield b"x" * 10_000

        return Response(200, stream())

    async def story(site):
        sock = small_receiver(site)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", site.port))
        await loop.sock_sendall(sock, WATCH.encode())
        await asyncio.sleep(0.2)
        enough = len(pulled)
        assert site.connections == 1
        await site.no_connections()
        assert len(pulled) == enough
        assert enough < 2000  # 20 MB: kernel buffers and ours
        sock.close()

    run(story, flood, limits=Limits(stalled_seconds=0.5))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_large_body_reaches_a_slow_but_steady_reader(run, method):
    body = bytes(range(256)) * 40_000

    async def large(request):
        return Response(200, body)

    async def story(site):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=2**16)
        writer.write(f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while chunk := await reader.read(500_000):
            got += chunk
            # All of it takes longer than a reader may be silent.
            await asyncio.sleep(0.02)
        head, _, rest = got.partition(b"\r\n\r\n")
        assert b"content-length: %d" % len(body) in head
        whole = rest == (body if method == "GET" else b"")
        assert whole, f"{len(rest)} bytes came"

    run(story, large, limits=Limits(stalled_seconds=2.0))


def test_a_stream_that_fails_is_cut_so_that_the_client_notices(run):
    async def failing(request):
        async def stream():
            yield b"first"
            raise RuntimeError("boom")

        return Response(200, stream())

    async def story(site):
        caller = await site.call()
        caller.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        rest = await caller.closed()
        assert not rest.endswith(b"0\r\n\r\n")

    run(story, failing)


def test_http_1_0_gets_a_stream_without_chunks_ended_by_the_connection(run):
    feed = Feed()
    for event in (b"one", b"two", None):
        feed.events.put_nowait(event)

    async def story(site):
        caller = await site.call()
        caller.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert "transfer-encoding" not in (await caller.head())[1]
        assert await caller.closed() == b"onetwo"

    run(story, feed)


def test_closing_ends_watches_cleanly_and_idle_connections_at_once(run):
    feed = Feed()

    async def story(site):
        watcher, idle = await site.call(), await site.call()
        idle.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        watcher.send(WATCH)
        await watcher.head()
        await idle.head()
        async with asyncio.timeout(1):
            await site.close(grace_seconds=10)
        assert await watcher.closed() == b"0\r\n\r\n"
        assert await idle.closed() == b""
        with pytest.raises(OSError):
            await site.call()

    run(story, feed)


def test_closing_lets_a_request_finish_within_the_grace(run):
    async def slow(request):
        await asyncio.sleep(float(request.query["seconds"]))
        return Response(200, b"done")

    async def story(site):
        quick, slow = await site.call(), await site.call()
        quick.send("GET /?seconds=0.1 HTTP/1.1\r\nHost: a\r\n\r\n")
        slow.send("GET /?seconds=60 HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.02)
        await site.close(grace_seconds=0.3)
        status, headers, body = await quick.response()
        assert (status, headers["connection"], body) == (200, "close", b"done")
        assert await slow.closed() == b""
        await site.no_connections()

    run(story, slow)
