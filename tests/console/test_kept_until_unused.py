"""A Console that ends by itself: once nobody has been connected for a while, and not before."""

from __future__ import annotations

import asyncio

import uvloop

from homeostat.console.server import run
from homeostat.console.settings import ConsoleSettings
from homeostat.kit import tasks
from tests.support.console_site import KEY


def test_it_ends_when_nobody_has_been_connected_for_a_while() -> None:
    async def main() -> None:
        ready = asyncio.get_running_loop().create_future()
        settings = ConsoleSettings([("one", "http://127.0.0.1:9")], KEY, idle_seconds=0.4)
        running = tasks.spawn(run(settings, asyncio.Event(), ready=ready.set_result), name="console")
        _, writer = await asyncio.open_connection("127.0.0.1", await ready)
        await asyncio.sleep(0.8)
        assert not running.done()
        writer.close()
        async with asyncio.timeout(10):
            await running

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
