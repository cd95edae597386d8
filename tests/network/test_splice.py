"""Two real connections joined: bytes, flow control, half closes, and a valve that cuts them off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from homeostat.kit import tasks
from homeostat.network.userspace.splice import Side, Splice

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
QUIET_SECONDS = 0.05


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def running(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(main, 20))

    return running


class Joined:
    """A client's and a server's streams with a splice between them, and how long it takes to reach the server."""

    def __init__(self) -> None:
        self.splices: asyncio.Queue[Splice] = asyncio.Queue()
        self.served: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.gate = asyncio.Event()


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Joined, Callable[[], Coroutine[Any, Any, Any]]]]:
    state = Joined()
    loop = asyncio.get_running_loop()

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.served.put((reader, writer))

    backend = await asyncio.start_server(arrived, "127.0.0.1", 0)
    backend_port = backend.sockets[0].getsockname()[1]

    async def connect(client: Side) -> None:
        await state.gate.wait()
        _, side = await loop.create_connection(Side, "127.0.0.1", backend_port)
        splice = Splice(client, side, frozenset())
        splice.valve(shut=False)
        await state.splices.put(splice)

    front = await loop.create_server(
        lambda: Side(lambda side: tasks.spawn(connect(side), name="connect")), "127.0.0.1", 0
    )
    front_port = front.sockets[0].getsockname()[1]
    try:
        yield state, lambda: asyncio.open_connection("127.0.0.1", front_port)
    finally:
        front.close()
        backend.close()


def test_what_a_client_says_before_the_backend_is_there_is_not_lost(run: Any) -> None:
    async def story() -> None:
        async with joined() as (state, connect):
            _, writer = await connect()
            writer.write(b"first words")
            await writer.drain()
            await asyncio.sleep(QUIET_SECONDS)
            state.gate.set()
            reader, _ = await state.served.get()
            assert await reader.readexactly(11) == b"first words"

    run(story())


def test_many_bytes_arrive_whole_though_the_other_end_reads_late(run: Any) -> None:
    async def story() -> None:
        payload = bytes(range(256)) * 40_000
        async with joined() as (state, connect):
            state.gate.set()
            reader, writer = await connect()
            server_reader, server_writer = await state.served.get()
            writer.write(payload)
            writer.write_eof()
            await asyncio.sleep(QUIET_SECONDS)
            assert await server_reader.read(-1) == payload
            # The client's half close leaves the way back open.
            server_writer.write(payload)
            server_writer.close()
            assert await reader.read(-1) == payload

    run(story())


def test_a_shut_valve_passes_neither_bytes_nor_the_end_until_it_opens(run: Any) -> None:
    async def story() -> None:
        async with joined() as (state, connect):
            state.gate.set()
            reader, writer = await connect()
            server_reader, server_writer = await state.served.get()
            splice = await state.splices.get()
            splice.valve(shut=True)
            writer.write(b"lost in the cable")
            server_writer.write(b"also lost")
            server_writer.write_eof()
            for side in (server_reader, reader):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(side.read(1), QUIET_SECONDS)
            splice.valve(shut=False)
            assert await reader.read(-1) == b"also lost"
            assert await server_reader.readexactly(17) == b"lost in the cable"

    run(story())


def test_connections_that_have_ended_on_both_sides_keep_no_descriptor(run: Any) -> None:
    async def story() -> None:
        async with joined() as (state, connect):
            state.gate.set()
            before = len(os.listdir("/proc/self/fd"))
            for first_to_close in ("client", "server") * 10:
                reader, writer = await connect()
                server_reader, server_writer = await state.served.get()
                ends = [(writer, server_reader), (server_writer, reader)]
                for own, others in ends if first_to_close == "client" else reversed(ends):
                    own.write(b"last words")
                    own.close()
                    assert await others.read(-1) in (b"last words", b"")
            async with asyncio.timeout(5):
                while len(os.listdir("/proc/self/fd")) > before:
                    await asyncio.sleep(0.01)

    run(story())


def test_a_valve_that_opens_after_both_sides_ended_closes_them(run: Any) -> None:
    async def story() -> None:
        async with joined() as (state, connect):
            state.gate.set()
            reader, writer = await connect()
            _, server_writer = await state.served.get()
            splice = await state.splices.get()
            splice.valve(shut=True)
            writer.write_eof()
            server_writer.write_eof()
            await asyncio.sleep(QUIET_SECONDS)
            splice.valve(shut=False)
            assert await asyncio.wait_for(reader.read(-1), 5) == b""
            async with asyncio.timeout(5):
                while not splice.over:
                    await asyncio.sleep(0.01)

    run(story())


def test_when_one_side_goes_the_other_is_closed(run: Any) -> None:
    async def story() -> None:
        async with joined() as (state, connect):
            state.gate.set()
            reader, writer = await connect()
            _, server_writer = await state.served.get()
            server_writer.transport.abort()
            await asyncio.wait_for(_closed(reader), 5)
            writer.close()

    async def _closed(reader: asyncio.StreamReader) -> None:
        while not reader.at_eof():
            await reader.read(1)

    run(story())
