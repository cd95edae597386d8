"""Streams on their way through: watches and logs as they come, exec both ways, over real sockets and HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import uvloop
from websockets.asyncio.client import connect

from homeostat.console.server import run
from homeostat.console.settings import ConsoleSettings
from homeostat.kit import tasks
from homeostat.wire import websocket
from homeostat.wire.duplex import Duplex
from homeostat.wire.fields import json_response
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, Response
from homeostat.wire.websocket import WebSocket
from tests.support.api_site import Caller
from tests.support.console_site import KEY, Browser


class Api:
    """An API server that streams what it is told to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.left = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if "selfsubjectreviews" in request.path:
            return json_response(201, {"status": {"userInfo": {"username": "me"}}})
        if websocket.asked(request):
            return Response(101, b"", websocket.accept(request, websocket.protocols(request)[0]), upgrade=self._echo)
        if request.path.endswith("/log"):
            return Response(200, self._log(), {"content-type": "text/plain"})
        return json_response(200, {"path": request.path, "body": request.body.decode()})

    async def _log(self) -> AsyncIterator[bytes]:
        try:
            while line := await self.lines.get():
                yield line
        finally:
            self.left.set()

    async def _echo(self, stream: Duplex) -> None:
        socket = WebSocket(stream)
        while data := await socket.read():
            socket.write(b"echo " + data)
            await socket.drain()


async def story(test: object) -> None:
    api, stop = Api(), asyncio.Event()
    server = await serve(api)
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = ConsoleSettings([("one", f"http://127.0.0.1:{server.port}")], KEY)
    running = tasks.spawn(run(settings, stop, ready=ready.set_result), name="console")
    browser = Browser(await ready)
    await browser.sign_in(token="mine")
    try:
        async with asyncio.timeout(30):
            await test(api, browser)  # type: ignore[operator]
    finally:
        stop.set()
        await running
        await server.close(grace_seconds=0)


def within(test: object) -> None:
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(story(test))


async def follow(browser: Browser) -> Caller:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", browser.port))
    path = "/k8s/api/v1/namespaces/a/pods/b/log?follow=true"
    caller.writer.write(f"GET {path} HTTP/1.1\r\nhost: {browser.host}\r\ncookie: {browser.cookie}\r\n\r\n".encode())
    return caller


def test_a_followed_log_comes_line_by_line_and_ends_with_the_one_who_reads() -> None:
    async def run(api: Api, browser: Browser) -> None:
        caller = await follow(browser)
        api.lines.put_nowait(b"first\n")
        status, headers = await caller.head()
        assert status == 200 and headers["cache-control"] == "no-store" and "content-length" not in headers
        assert await caller.reader.readuntil(b"first\n") == b"6\r\nfirst\n"
        api.lines.put_nowait(b"second\n")
        await caller.reader.readuntil(b"second\n")
        caller.writer.close()
        await api.left.wait()

    within(run)


def test_a_terminal_speaks_both_ways_with_its_own_subprotocol() -> None:
    async def run(api: Api, browser: Browser) -> None:
        url = f"ws://{browser.host}/k8s/api/v1/namespaces/a/pods/b/exec?command=sh&stdin=true"
        origin, cookie = f"http://{browser.host}", {"cookie": browser.cookie}
        own = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        async with connect(url, origin=origin, additional_headers=cookie, subprotocols=own) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "v5.channel.k8s.io"
            for word in (b"ls", b"x" * 300_000):
                await socket.send(word)
                assert await socket.recv() == b"echo " + word
        asked = api.requests[-1]
        assert asked.headers["authorization"] == "Bearer mine" and "cookie" not in asked.headers
        assert "origin" not in asked.headers and asked.query["command"] == "sh"

    within(run)


def test_a_body_arrives_whole_and_one_too_large_is_refused() -> None:
    async def run(api: Api, browser: Browser) -> None:
        status, _, body = await browser.send("PATCH", "/k8s/api/v1/x", b'{"a": "' + b"x" * 1_000_000 + b'"}')
        assert status == 200 and len(body) > 1_000_000
        assert (await browser.send("POST", "/k8s/api/v1/x", b"x" * 3_200_000))[0] == 413

    within(run)


def test_many_streams_do_not_keep_others_waiting() -> None:
    async def run(api: Api, browser: Browser) -> None:
        callers = [await follow(browser) for _ in range(60)]
        status, _, _ = await browser.send("GET", "/k8s/api/v1/x")
        assert status == 200
        for caller in callers:
            caller.writer.close()

    within(run)
