"""Runs a story against a real server on loopback, on both event loops."""

import asyncio

import pytest
import uvloop

from homeostat.wire.http_server import serve

SECONDS_MAX = 20


class Caller:
    """A raw connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, text):
        self.writer.write(text.encode("latin-1") if isinstance(text, str) else text)

    async def head(self):
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), headers

    async def response(self):
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return status, headers, body

    async def closed(self):
        """What still comes until the server closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


class Site:
    """A running server, and ways to talk to it."""

    def __init__(self, server):
        self.server = server
        self.close = server.close

    @property
    def connections(self):
        return self.server.connections

    @property
    def port(self):
        return self.server.port

    async def call(self):
        return Caller(*await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, text):
        """One request on its own connection."""
        caller = await self.call()
        caller.send(text)
        answer = await caller.response()
        caller.writer.close()
        return answer

    async def no_connections(self):
        while self.connections:
            await asyncio.sleep(0.005)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """`run(story, handler, **serve's)`: awaits `story(server)` with a bound on its time."""

    def run_story(story, handler, **options):
        async def main():
            server = await serve(handler, **options)
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    await story(Site(server))
            finally:
                await server.close(grace_seconds=0)

        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())

    return run_story
