"""Every watch and every list gets what a filter over the stream of everything gives; on virtual time."""

from __future__ import annotations

import pytest

from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import build_edge
from homeostat.apiserver.settings import Settings
from homeostat.kit import clock, virtual
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import Handler
from tests.support import api_edge, watch_check

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_watchers_that_resume_anywhere_get_what_a_filter_over_everything_gives(seed: int) -> None:
    """One server knows all from the beginning, one has a short window, one starts later: so the state, the history,
    the window and live changes all answer."""

    async def main() -> None:
        state = MemoryState()
        servers: list[ApiServer] = []

        async def begin(settings: Settings) -> Handler:
            store = MemoryStore(state)
            await store.start()
            server = ApiServer(store, settings=settings, parts=build_edge(api_edge.config()))
            await server.start()
            servers.append(server)
            return server.handle

        site = watch_check.Site()
        site.servers += [await begin(Settings()), await begin(Settings(window_events=10))]
        await clock.sleep(0.5)
        run = await watch_check.check(site, seed=seed, grow=lambda: begin(Settings()))
        assert {segment.how for segment in run.segments} == {
            "resume",
            "anywhere",
            "bookmarks",
            "first",
            "state",
            "stream",
        }
        for server in servers:
            await server.stop()

    virtual.run(main, seed=seed)
