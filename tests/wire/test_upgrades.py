"""Connections that leave HTTP (RFC 9110, 7.8): nothing is lost on the way out, and nothing is kept when it is over."""

import asyncio
import hashlib
import random
import socket
import struct

import pytest

from homeostat.client.contract import Unreachable
from homeostat.client.direct import ask_at
from homeostat.client.http import HttpTransport
from homeostat.wire import pki, rawstream
from homeostat.wire.duplex import pair, splice
from homeostat.wire.fields import is_upgrade
from homeostat.wire.http_server import serve
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response
from homeostat.wire.tls import client_context, server_context

ASK = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 0\r\n\r\n"
AGREED = {"connection": "Upgrade", "upgrade": "echo"}
# No deadline of HTTP has anything to say about a stream.
# Even on busy cores a head is there in a second.
HASTY = Limits(header_seconds=1.0, body_seconds=0.1, idle_seconds=0.1, stalled_seconds=0.1, linger_seconds=0.1)
MEGABYTES = random.Random(7).randbytes(5_000_000)
# More than all buffers on the way hold, those of the kernel kept small (`tight`, `narrow`).
FLOOD = b"flood" * 2_000_000
BUFFERS = (socket.SO_SNDBUF, socket.SO_RCVBUF)


def tight():
    """A listening socket whose connections have small buffers in the kernel, however large it would make them."""
    sock = socket.create_server(("127.0.0.1", 0))
    for option in BUFFERS:
        sock.setsockopt(socket.SOL_SOCKET, option, 64 * 1024)
    return [sock]


def narrow(caller):
    for option in BUFFERS:
        caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 64 * 1024)


def stream(upgrade):
    """A handler that agrees to every upgrade, and answers plain requests."""

    async def handler(request):
        if not is_upgrade(request):
            return Response(200, b"plain")
        return Response(101, b"", dict(AGREED), upgrade=upgrade)

    return handler


async def echo(duplex):
    while data := await duplex.read():
        duplex.write(data)
        await duplex.drain()


async def echoed(caller, data):
    """Send while the answer is read; what came back."""
    caller.send(data)
    return await caller.reader.readexactly(len(data))


@pytest.mark.parametrize("cut", [0, 1, len(ASK) - 1, len(ASK), len(ASK) + 3])
def test_no_early_byte_is_lost_wherever_the_packets_are_cut(run, cut):
    """A client may send its first bytes with the request, before it knows whether they are wanted."""

    async def story(site):
        caller = await site.call()
        whole = ASK.encode() + b"early bytes"
        caller.send(whole[:cut])
        await asyncio.sleep(0.01)
        caller.send(whole[cut:])
        status, headers = await caller.head()
        assert (status, headers["connection"], headers["upgrade"]) == (101, "Upgrade", "echo")
        assert "content-length" not in headers and "transfer-encoding" not in headers
        assert await caller.reader.readexactly(11) == b"early bytes"
        assert await echoed(caller, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    run(story, stream(echo))


def test_what_comes_while_the_handler_still_thinks_is_kept_within_bounds(run):
    thinking = asyncio.Event()

    async def slow(request):
        await thinking.wait()
        return Response(101, b"", dict(AGREED), upgrade=echo)

    async def story(site):
        caller = await site.call()
        narrow(caller)
        caller.send(ASK)
        sending = asyncio.create_task(send_all(caller, FLOOD))
        await asyncio.sleep(0.05)
        assert not sending.done(), "a server that does not know yet reads no further"
        thinking.set()
        assert (await caller.head())[0] == 101
        assert await caller.reader.readexactly(len(FLOOD)) == FLOOD
        await sending

    run(story, slow, sockets=tight())


async def send_all(caller, data):
    for at in range(0, len(data), 65536):
        caller.send(data[at : at + 65536])
        await caller.writer.drain()


def test_a_stream_may_follow_plain_requests_and_a_refusal_is_an_answer(run):
    async def handler(request):
        if request.path == "/no":
            return Response(403, b"no")
        return await stream(echo)(request)

    async def story(site):
        caller = await site.call()
        caller.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n" + ASK + "first")
        assert (await caller.response())[2] == b"plain"
        assert (await caller.head())[0] == 101
        assert await caller.reader.readexactly(5) == b"first"
        refused = await site.call()
        refused.send(ASK.replace("/x", "/no") + "unwanted" * 1000)
        status, headers, body = await refused.response()
        assert (status, headers["connection"], body) == (403, "close", b"no")
        assert await refused.closed() == b""

    run(story, handler, limits=Limits(linger_seconds=0.1))


def test_a_silent_or_unread_stream_outlives_every_deadline_of_http(run):
    async def story(site):
        caller = await site.call()
        narrow(caller)
        caller.send(ASK)
        await caller.head()
        sending = asyncio.create_task(send_all(caller, FLOOD))
        await asyncio.sleep(HASTY.header_seconds + 0.2)
        assert site.connections == 1 and not sending.done(), "nobody reads, so the sender waits"
        assert await caller.reader.readexactly(len(FLOOD)) == FLOOD
        await sending
        await asyncio.sleep(0.3)
        assert await echoed(caller, b"still there") == b"still there"

    run(story, stream(echo), limits=HASTY, sockets=tight())


def test_a_writer_waits_for_its_reader_and_a_reader_for_its_writer(run):
    wrote = 0

    async def pour(duplex):
        nonlocal wrote
        for _ in range(200):
            duplex.write(b"x" * 65536)
            await duplex.drain()
            wrote += 65536

    async def story(site):
        caller = await site.call()
        narrow(caller)
        caller.send(ASK)
        await caller.head()
        await asyncio.sleep(0.2)
        assert wrote < 200 * 65536, "what nobody reads is not produced"
        got = await caller.closed()
        assert len(got) == 200 * 65536 == wrote, "what was written before the end arrives"
        await site.no_connections()

    run(story, stream(pour), sockets=tight())


def test_whoever_leaves_ends_the_stream(run):
    answer = asyncio.Event()

    async def listen(duplex):
        assert await duplex.read() == b"hello"
        assert await duplex.read() == b""
        with pytest.raises(ConnectionError):
            while True:
                duplex.write(b"x" * 65536)
                await duplex.drain()
                await asyncio.sleep(0)
        answer.set()

    async def story(site):
        caller = await site.call()
        caller.send(ASK + "hello")
        await caller.head()
        caller.writer.close()
        await answer.wait()
        await site.no_connections()

    run(story, stream(listen))


def test_a_peer_that_dies_while_it_is_not_read_is_missed(run, monkeypatch):
    """A killed client's connection is reset; an event loop that does not read from it does not notice that."""
    monkeypatch.setattr(rawstream, "_KEEPALIVE_SECONDS", 0.05)
    ended = asyncio.Event()

    async def deaf(duplex):
        while True:
            try:
                await duplex.drain()
            except ConnectionError:
                ended.set()
                return
            await asyncio.sleep(0.01)

    async def story(site):
        caller = await site.call()
        narrow(caller)
        caller.send(ASK)
        await caller.head()
        sending = asyncio.create_task(send_all(caller, FLOOD))
        await asyncio.sleep(0.2)
        sock = caller.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.writer.transport.abort()
        sending.cancel()
        await ended.wait()
        await site.no_connections()

    run(story, stream(deaf), sockets=tight())


def test_a_mistake_in_a_stream_cuts_it_off_and_costs_nobody_else(run, caplog):
    async def wrong(duplex):
        raise RuntimeError("oh")

    async def story(site):
        caller = await site.call()
        caller.send(ASK)
        assert (await caller.head())[0] == 101
        assert await caller.closed() == b""
        assert (await site.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[2] == b"plain"

    run(story, stream(wrong))
    assert "a stream was cut off" in caplog.text


def test_a_server_that_closes_ends_its_streams_at_once(run):
    ended = asyncio.Event()

    async def forever(duplex):
        try:
            await echo(duplex)
        finally:
            ended.set()

    async def story(site):
        caller = await site.call()
        caller.send(ASK)
        await caller.head()
        assert await echoed(caller, b"x") == b"x"
        await site.close(grace_seconds=10)
        assert ended.is_set()
        assert await caller.closed() == b""

    run(story, stream(forever))


# Through a proxy: a handler that returns what a client's transport gave it.


async def relay(port, request):
    headers = {name: request.headers[name] for name in ("connection", "upgrade")}
    return await ask_at(f"http://127.0.0.1:{port}/behind?a=1&a=2", Request(request.method, "", {}, headers))


def behind(story, upgrade, run, **options):
    """`story(front, behind)`: two servers, the first of which passes everything on to the second."""
    port = 0

    async def both(front):
        nonlocal port
        server = await serve(stream(upgrade), sockets=tight())
        port = server.port
        try:
            await story(front, server)
        finally:
            await server.close(grace_seconds=0)

    async def passing(request):
        return await relay(port, request)

    run(both, passing, sockets=tight(), **options)


def test_a_proxy_passes_a_stream_on_byte_for_byte(run):
    async def greet(duplex):
        duplex.write(b"welcome ")  # leaves with the head of the 101
        await echo(duplex)

    async def story(front, server):
        caller = await front.call()
        caller.send(ASK + "early ")
        status, headers = await caller.head()
        assert (status, headers["upgrade"]) == (101, "echo")
        assert await caller.reader.readexactly(14) == b"welcome early "
        sending = asyncio.create_task(send_all(caller, MEGABYTES))
        got = await caller.reader.readexactly(len(MEGABYTES))
        assert hashlib.sha256(got).digest() == hashlib.sha256(MEGABYTES).digest()
        await sending
        caller.writer.close()
        while server.connections:
            await asyncio.sleep(0.005)
        await front.no_connections()

    behind(story, greet, run)


def test_what_a_backend_says_last_reaches_the_client(run):
    async def last_words(duplex):
        await duplex.read()
        duplex.write(MEGABYTES)

    async def story(front, server):
        caller = await front.call()
        caller.send(ASK + "go")
        await caller.head()
        assert await caller.closed() == MEGABYTES
        await front.no_connections()

    behind(story, last_words, run)


def test_a_slow_client_slows_the_backend_down(run):
    wrote = 0

    async def pour(duplex):
        nonlocal wrote
        while True:
            duplex.write(b"x" * 65536)
            await duplex.drain()
            wrote += 65536

    async def story(front, server):
        caller = await front.call()
        narrow(caller)
        caller.send(ASK)
        await caller.head()
        before = -1
        while before != wrote:
            before = wrote
            await asyncio.sleep(0.2)
        assert wrote < 10_000_000, "buffers of the kernel and of two hops, no more"
        caller.writer.transport.abort()
        while server.connections:
            await asyncio.sleep(0.005)

    behind(story, pour, run)


def test_a_shut_proxy_lets_go_of_both_sides(run):
    async def story(front, server):
        caller = await front.call()
        caller.send(ASK + "x")
        await caller.head()
        assert await caller.reader.readexactly(1) == b"x"
        await front.close(grace_seconds=10)
        assert await caller.closed() == b""
        while server.connections:
            await asyncio.sleep(0.005)

    behind(story, echo, run)


def test_over_tls_a_stream_is_the_same(run, tmp_path):
    authority = pki.make_authority("test")
    pair_ = pki.issue(authority, "server", names=["127.0.0.1"], server=True)
    (tmp_path / "s.crt").write_bytes(pair_.certificate)
    (tmp_path / "s.key").write_bytes(pair_.key)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)

    async def story(site):
        url = f"https://127.0.0.1:{site.port}"
        transport = HttpTransport([url], tls=client_context(tmp_path / "ca.crt"))
        request = Request("GET", "/x", {}, {"connection": "keep-alive, Upgrade", "upgrade": "echo"})
        response = await transport.send(request, repeatable=False)
        near, far = pair()
        carrier = asyncio.create_task(response.upgrade(far))
        got, whole = b"", MEGABYTES[:1_000_000]
        sending = asyncio.create_task(write_all(near, whole))
        while len(got) < len(whole):
            got += await near.read()
        assert got == whole
        await sending
        near.close()
        await carrier
        await site.no_connections()
        plain = await transport.send(Request("GET", "/y"), repeatable=True)
        assert plain.body == b"plain"
        await transport.close()

    run(story, stream(echo), tls=server_context(tmp_path / "s.crt", tmp_path / "s.key"))


async def write_all(duplex, data):
    for at in range(0, len(data), 65536):
        duplex.write(data[at : at + 65536])
        await duplex.drain()


def test_an_upgrade_nobody_asked_for_is_no_answer(run):
    async def pushy(request):
        return Response(101, b"", dict(AGREED))

    async def story(site):
        transport = HttpTransport([f"http://127.0.0.1:{site.port}"])
        with pytest.raises(Unreachable, match="not asked for"):
            await transport.send(Request("GET", "/x"), repeatable=False)
        await transport.close()

    run(story, pushy)


# Within one process.


def test_a_pair_is_bounded_and_ends_both_ways():
    async def story():
        one, other = pair()
        sending = asyncio.create_task(write_all(one, MEGABYTES))
        await asyncio.sleep(0.01)
        assert not sending.done()
        got = b""
        while len(got) < len(MEGABYTES):
            got += await other.read()
        assert got == MEGABYTES
        await sending
        one.write(b"last")
        one.close()
        assert await other.read() == b"last" and await other.read() == b"" and await one.read() == b""
        for end in (one, other):
            with pytest.raises(ConnectionError):
                end.write(b"x")

    asyncio.run(story())


def test_splicing_ends_both_when_one_ends():
    async def story():
        (one, left), (right, other) = pair(), pair()
        splicing = asyncio.create_task(splice(left, right))
        one.write(b"there")
        assert await other.read() == b"there"
        other.write(b"back")
        assert await one.read() == b"back"
        other.write(b"bye")
        other.close()
        assert await one.read() == b"bye" and await one.read() == b""
        await splicing

    asyncio.run(story())
