"""What a link does to requests and streams, and what an API server's place does when it is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import NAMESPACE, POD
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Unreachable
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, tasks, virtual
from homeostat.sim.components.noisy_links import ANSWER_SECONDS, CONNECT_SECONDS, QUIET, STREAM_SECONDS, Link, Noise
from homeostat.sim.components.server_slot import ServerSlot
from homeostat.sim.components.troubled_store import Disk, TroubledStore
from homeostat.store.contract import Unavailable
from homeostat.store.memory import MemoryState
from homeostat.wire.message import Request, Response, User

GET = Request("GET", "/api/v1/pods")
WATCH = {"watch": "true"}


def story(main: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await main()

    virtual.run(run, seed=1)


class Server:
    """Counts what it carries out; answers after `seconds`, a watch with `chunks`, one a second."""

    def __init__(self, *, seconds: float = 0.0, chunks: int = 0) -> None:
        self.done = 0
        self._seconds = seconds
        self._chunks = chunks

    async def handle(self, request: Request) -> Response:
        await clock.sleep(self._seconds)
        self.done += 1
        return Response(200, self._stream() if "watch" in request.query else b"{}")

    async def _stream(self) -> AsyncIterator[bytes]:
        for number in range(self._chunks):
            yield b'{"number":%d}\n' % number
            await clock.sleep(1)


async def read(response: Response) -> list[bytes]:
    assert not isinstance(response.body, bytes)
    return [chunk async for chunk in response.body]


def test_a_request_into_a_cut_link_is_refused_after_the_time_for_a_connection() -> None:
    async def main() -> None:
        server, link = Server(), Link("it", QUIET)
        link.cut()
        with pytest.raises(ConnectionRefusedError):
            await link.through(server.handle)(GET)
        assert clock.monotonic() == pytest.approx(CONNECT_SECONDS)
        assert server.done == 0

    story(main)


def test_an_answer_that_a_cut_holds_back_is_ambiguous() -> None:
    async def main() -> None:
        server, link = Server(seconds=1), Link("it", QUIET)
        asking = tasks.spawn(link.through(server.handle)(GET), name="asking")
        await clock.sleep(0.5)
        link.cut()
        await asyncio.wait((asking,))
        assert isinstance(asking.exception(), ConnectionResetError)
        assert clock.monotonic() == pytest.approx(1 + ANSWER_SECONDS)
        assert server.done == 1

    story(main)


def test_a_heal_in_time_lets_the_answer_through() -> None:
    async def main() -> None:
        link = Link("it", QUIET)
        asking = tasks.spawn(link.through(Server(seconds=1).handle)(GET), name="asking")
        await clock.sleep(0.5)
        link.cut()
        await clock.sleep(5)
        link.heal()
        assert (await asking).status == 200

    story(main)


def test_a_dead_process_sends_nothing() -> None:
    async def main() -> None:
        server, link = Server(), Link("it", QUIET)
        link.kill()
        with pytest.raises(ConnectionRefusedError):
            await link.through(server.handle)(GET)
        assert server.done == 0

    story(main)


def test_a_broken_answer_comes_after_the_request_was_carried_out() -> None:
    async def main() -> None:
        server = Server()
        with pytest.raises(ConnectionResetError):
            await Link("it", Noise(broken=1.0)).through(server.handle)(GET)
        assert server.done == 1

    story(main)


def test_a_conflict_is_answered_without_the_server() -> None:
    async def main() -> None:
        server, link = Server(), Link("it", Noise(conflict=1.0))
        put = await link.through(server.handle)(Request("PUT", "/api/v1/namespaces/default/pods/web"))
        assert put.status == 409
        assert server.done == 0
        assert (await link.through(server.handle)(Request("DELETE", "/api/v1/nodes/a"))).status == 200

    story(main)


def test_a_stream_waits_for_a_heal_and_loses_nothing() -> None:
    async def main() -> None:
        link = Link("it", QUIET)
        stream = await link.through(Server(chunks=5).handle)(Request("GET", "/", dict(WATCH)))
        reading = tasks.spawn(read(stream), name="reading")
        await clock.sleep(1.5)
        link.cut()
        await clock.sleep(30)
        link.heal()
        assert len(await reading) == 5

    story(main)


def test_a_stream_that_is_silent_for_too_long_breaks() -> None:
    async def main() -> None:
        link = Link("it", QUIET)
        stream = await link.through(Server(chunks=5).handle)(Request("GET", "/", dict(WATCH)))
        reading = tasks.spawn(read(stream), name="reading")
        await clock.sleep(1.5)
        link.cut()
        await asyncio.wait((reading,))
        assert isinstance(reading.exception(), ConnectionResetError)
        assert clock.monotonic() == pytest.approx(1 + STREAM_SECONDS)

    story(main)


def test_a_stream_repeats_what_it_said_in_order() -> None:
    async def main() -> None:
        stream = await Link("it", Noise(repeated=1.0)).through(Server(chunks=3).handle)(
            Request("GET", "/", dict(WATCH))
        )
        chunks = await read(stream)
        assert len(chunks) > 3
        assert sorted(set(chunks)) == [b'{"number":%d}\n' % number for number in range(3)]
        assert chunks[-1] == b'{"number":2}\n'

    story(main)


def test_a_stream_that_is_dropped_breaks_in_the_middle_of_a_line() -> None:
    async def main() -> None:
        stream = await Link("it", Noise(dropped=1.0)).through(Server(chunks=3).handle)(Request("GET", "/", dict(WATCH)))
        got: list[bytes] = []
        assert not isinstance(stream.body, bytes)
        with pytest.raises(ConnectionResetError):
            async for chunk in stream.body:
                got.append(chunk)
        assert b'{"number":0}\n'.startswith(b"".join(got))

    story(main)


def slot(state: MemoryState, disk: Disk | None = None) -> ServerSlot:
    return ServerSlot("master-1", "10.0.0.1", lambda: TroubledStore(state, disk or Disk()), Settings())


def client(server: ServerSlot) -> ApiClient:
    return ApiClient(InProcessTransport([server.handle], User("admin", ("system:masters",))))


def test_a_killed_server_breaks_what_it_had_under_way_and_starts_fresh() -> None:
    async def main() -> None:
        disk = Disk(commit_seconds=1.0)
        server = slot(MemoryState(), disk)
        await server.start()
        await clock.sleep(20)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}
        creating = tasks.spawn(client(server).create(NAMESPACE, body), name="creating")
        await clock.sleep(0.01)
        await server.kill()
        await asyncio.wait((creating,))
        assert isinstance(creating.exception(), Unreachable)
        with pytest.raises(Unreachable):
            await client(server).list(POD)
        disk.commit_seconds = 0.0
        await server.start()
        names = {item["metadata"]["name"] for item in (await client(server).list(NAMESPACE)).items}
        assert {"default", "kube-system"} <= names
        await server.kill()

    story(main)


def test_a_server_comes_up_once_the_store_answers() -> None:
    async def main() -> None:
        disk = Disk(away=True)
        server = slot(MemoryState(), disk)
        starting = tasks.spawn(server.start(), name="starting")
        await clock.sleep(10)
        assert not server.running
        disk.away = False
        await starting
        assert server.running
        await server.kill()

    story(main)


def test_a_store_that_is_away_answers_nothing() -> None:
    async def main() -> None:
        store = TroubledStore(MemoryState(), Disk(away=True))
        await store.start()
        for attempt in (store.revision(), store.get("/registry/x"), store.list("/"), store.commit("/x", 0, b"")):
            with pytest.raises(Unavailable):
                await attempt

    story(main)
