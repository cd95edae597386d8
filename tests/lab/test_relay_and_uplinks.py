"""The lab's network: a relay in front of several API servers, and uplinks that can be cut and heal by themselves."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import LabError
from homeostat.kit import clock, tasks, virtual
from homeostat.lab.links.relay import Backend, Health, Relay, bound, to_part, watch_health
from homeostat.lab.links.uplink import Uplinks, serve_orders
from homeostat.lab.processes.orders import ask_async

NODES = ("m1", "m2", "w1")


class Server:
    """A server that says its name, and how many came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.came = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        while await reader.readline():
            writer.write(self.name.encode() + b"\n")
        writer.close()


async def ask(port: int, *, seconds: float = 5.0) -> str:
    """One question on a fresh connection."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"who?\n")
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()


def open_files() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def relayed(
    tmp_path: Path, *, origin: str = "", patience_seconds: float = 10.0
) -> AsyncIterator[tuple[Uplinks, int, list[Server], list[Backend]]]:
    uplinks = Uplinks(NODES, tmp_path / "uplinks.json")
    servers = [Server("m1"), Server("m2")]
    backends = [Backend(server.name, "127.0.0.1", await server.start()) for server in servers]
    relay = Relay(uplinks, backends, origin=origin, patience_seconds=patience_seconds)
    listening = bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    await relay.listen(listening)
    try:
        yield uplinks, port, servers, backends
    finally:
        await relay.close()
        for server in servers:
            server.stop()


def test_connections_go_round_robin_and_skip_a_dead_server(tmp_path: Path) -> None:
    async def story() -> None:
        async with relayed(tmp_path) as (_, port, servers, _):
            assert {await ask(port) for _ in range(4)} == {"m1", "m2"}
            servers[0].stop()
            assert [await ask(port) for _ in range(6)] == ["m2"] * 6

    asyncio.run(story())


def test_a_client_waits_for_a_server_that_is_just_starting(tmp_path: Path) -> None:
    async def story() -> None:
        async with relayed(tmp_path) as (_, port, servers, backends):
            for server in servers:
                server.stop()
            waiting = asyncio.ensure_future(ask(port))
            await asyncio.sleep(0.1)
            await servers[0].start(backends[0].port)
            assert await waiting == "m1"

    asyncio.run(story())


def test_a_relay_without_patience_refuses_at_once_where_no_server_is(tmp_path: Path) -> None:
    """A client that knows several servers is better told at once than kept waiting for one."""

    async def story() -> None:
        async with relayed(tmp_path, patience_seconds=0.0) as (_, port, servers, _):
            for server in servers:
                server.stop()
            began = clock.monotonic()
            with suppress(ConnectionError):
                assert await ask(port) == ""
            assert clock.monotonic() - began < 1.0

    asyncio.run(story())


def test_a_server_on_a_node_that_is_cut_off_is_passed_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with relayed(tmp_path) as (uplinks, port, _, _):
            uplinks.cut("m1", seconds=60)
            assert [await ask(port) for _ in range(3)] == ["m2"] * 3

    asyncio.run(story())


def test_a_cut_holds_what_is_open_and_what_is_new_and_healing_lets_both_go_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with relayed(tmp_path, origin="w1") as (uplinks, port, _, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"who?\n")
            assert await reader.readline()
            uplinks.cut("w1", seconds=60)
            writer.write(b"who?\n")
            new = asyncio.ensure_future(ask(port))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.1)
            assert not new.done()
            uplinks.heal("w1")
            assert await asyncio.wait_for(reader.readline(), 5)
            assert await new in ("m1", "m2")
            writer.close()

    asyncio.run(story())


def test_clients_that_give_up_during_a_cut_leave_nothing_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with relayed(tmp_path, origin="w1") as (uplinks, port, servers, _):
            uplinks.cut("w1", seconds=60)
            before = open_files()
            for _ in range(50):
                with pytest.raises(TimeoutError):
                    await ask(port, seconds=0.01)
            async with asyncio.timeout(5):
                while open_files() > before + 10:
                    await asyncio.sleep(0.01)
            uplinks.heal("w1")
            assert await ask(port) in ("m1", "m2")
            # Some that the kernel had accepted and the relay not yet may still come; the fifty do not.
            assert sum(server.came for server in servers) < 15

    asyncio.run(story())


def test_a_cut_heals_by_itself_and_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    async def story() -> None:
        Uplinks(NODES, tmp_path / "uplinks.json").cut("w1", seconds=0.3)
        later = Uplinks(NODES, tmp_path / "uplinks.json")
        assert later.is_cut("w1")
        await asyncio.wait_for(later.passable("w1"), 5)
        assert not later.is_cut("w1")
        assert orjson.loads((tmp_path / "uplinks.json").read_bytes()) == {}

    asyncio.run(story())


def test_a_server_that_hangs_loses_its_connections_and_its_turn(tmp_path: Path) -> None:
    async def story() -> None:
        async with relayed(tmp_path) as (uplinks, port, _, backends):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"who?\n")
            hanging = (await reader.readline()).decode().strip()
            healthy = {"m1": Health.READY, "m2": Health.READY}

            async def check(backend: Backend) -> Health:
                return healthy[backend.node]

            watching = asyncio.ensure_future(
                watch_health(backends, check, lambda backend: uplinks.abort(label=backend))
            )
            async with asyncio.timeout(5):
                while not all(backend.proven for backend in backends):
                    await asyncio.sleep(0.01)
            healthy[hanging] = Health.SILENT
            # The client notices: its connection is reset after two failed checks.
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 10)
            assert hanging not in {await ask(port) for _ in range(4)}
            watching.cancel()
            writer.close()

    asyncio.run(story())


def _checked(*found: list[Health]) -> list[Backend]:
    """Servers that were ready for a while, after the checks `found` of each."""
    made = []
    for number, healths in enumerate(found):
        backend = Backend(f"m{number + 1}", "127.0.0.1", 1)
        for health in [*[Health.READY] * 5, *healths]:
            backend.checked(health)
        made.append(backend)
    return made


def test_a_server_without_a_substitute_keeps_its_connections() -> None:
    """Two of three masters are gone: the third lives and has no quorum, and is to say so rather than to hang up."""
    silent, unready, ready = Health.SILENT, Health.UNREADY, Health.READY
    gone, lone = [silent, silent], [unready, unready]
    servers = _checked(gone, lone, gone)
    assert to_part(servers) == []
    assert max(servers, key=lambda server: server.rank).node == "m2", "and it is asked first"
    # One returns, so there is a better one than those that are still gone; their connections are dropped once.
    for _ in range(3):
        assert to_part(servers) == [], "one good check does not make it a substitute"
        servers[1].checked(ready)
    assert [server.node for server in to_part(servers)] == ["m1", "m3"]
    servers[0].disconnected = True
    assert [server.node for server in to_part(servers)] == ["m3"]
    servers[0].checked(ready)
    servers[0].checked(silent)
    assert servers[0] not in to_part(servers), "a single failed check may be an accident"
    servers[0].checked(silent)
    assert servers[0] in to_part(servers)


def test_a_server_that_says_itself_that_it_is_not_ready_loses_its_turn_at_once() -> None:
    silent, unready = Health.SILENT, Health.UNREADY
    starved, storeless, well = _checked([silent], [unready], [])
    assert [server.rank for server in (starved, storeless, well)] == [Health.READY, unready, Health.READY]
    assert to_part([starved, storeless, well]) == [], "its connections stay until it has said so twice"


def test_a_server_that_does_not_answer_its_check_holds_up_no_other_and_is_asked_again_at_once() -> None:
    async def main() -> None:
        backends = [Backend("m1", "127.0.0.1", 1), Backend("m2", "127.0.0.1", 1)]
        hangs, dropped, asked = False, [], {"m1": 0, "m2": 0}

        async def check(backend: Backend) -> Health:
            asked[backend.node] += 1
            if hangs and backend.node == "m1":
                await clock.sleep(0.5)
                return Health.SILENT
            return Health.READY

        watching = tasks.spawn(watch_health(backends, check, dropped.append), name="watching")
        await clock.sleep(3)
        began, before = clock.monotonic(), dict(asked)
        hangs = True
        while not dropped:
            await clock.sleep(0.01)
        assert dropped == [backends[0]]
        assert clock.monotonic() - began <= 1.4
        assert asked["m1"] - before["m1"] <= 3 <= asked["m2"] - before["m2"]
        await tasks.stop(watching)

    virtual.run(main, seed=1)


def test_no_client_is_sent_from_one_server_that_is_late_now_and_then_to_another() -> None:
    """On a machine short of processors each misses checks; a connection that is broken and made again costs more."""
    silent, ready = Health.SILENT, Health.READY
    servers = _checked([silent, silent], [silent, ready, ready], [ready, silent])
    assert to_part(servers) == []
    servers[1].checked(ready)
    assert [server.node for server in to_part(servers)] == ["m1"], (
        "one that has been healthy for a while is a substitute"
    )


def test_a_check_that_took_too_long_says_nothing_of_the_server() -> None:
    """Each check bounds itself: where it takes longer, the relay was given no processor."""

    async def main() -> None:
        backends = [Backend("m1", "127.0.0.1", 1), Backend("m2", "127.0.0.1", 1)]
        asked = 0

        async def check(backend: Backend) -> Health:
            nonlocal asked
            if backend.node == "m2":
                return Health.READY
            asked += 1
            if asked % 2:
                await clock.sleep(1.5)
                return Health.SILENT
            return Health.READY

        dropped: list[Backend] = []
        watching = tasks.spawn(watch_health(backends, check, dropped.append), name="watching")
        await clock.sleep(20)
        assert asked > 10 and not dropped and backends[0].failures == 0
        await tasks.stop(watching)

    virtual.run(main, seed=1)


def test_a_server_that_was_never_ready_has_no_connections_to_lose() -> None:
    starting, running = Backend("m1", "127.0.0.1", 1), Backend("m2", "127.0.0.1", 1)
    for _ in range(3):
        starting.checked(Health.SILENT)
        running.checked(Health.READY)
    assert to_part([starting, running]) == []


def test_only_the_first_connection_waits_for_a_server_without_power(tmp_path: Path) -> None:
    """It says nothing, and the address answers nobody: whoever finds out spares the others."""

    async def story() -> None:
        uplinks = Uplinks(NODES, tmp_path / "uplinks.json")
        server = Server("m2")
        # A full backlog: the kernel answers nothing, as a machine without power.
        with socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))
            dead.listen(0)
            dead_port = dead.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", dead_port))
            backends = [
                Backend("m1", "127.0.0.1", dead_port),
                Backend("m2", "127.0.0.1", await server.start()),
            ]
            relay = Relay(uplinks, backends)
            listening = bound("127.0.0.1", 0)
            await relay.listen(listening)
            dials: list[int] = []
            dial = uplinks.dial

            async def counted(host: str, port: int, **more: Any) -> Any:
                dials.append(port)
                return await dial(host, port, **more)

            uplinks.dial = counted  # type: ignore[method-assign]
            answers = [await ask(listening.getsockname()[1]) for _ in range(6)]
            assert answers == ["m2"] * 6
            assert dials.count(dead_port) == 1
            backends[0].checked(Health.READY)
            assert backends[0].rank is Health.READY, "a good check brings it back"
            await relay.close()
            server.stop()
            for filler in fillers:
                filler.close()

    asyncio.run(story())


def test_orders_are_carried_out_and_wrong_ones_answered(tmp_path: Path) -> None:
    async def story() -> None:
        uplinks = Uplinks(NODES, tmp_path / "uplinks.json")
        path = tmp_path / "network.sock"
        server = await serve_orders(path, uplinks)
        await ask_async(path, Order("cut", node="w1", seconds=60))
        assert list((await ask_async(path, Order("status")))["cut"]) == ["w1"]
        assert (await ask_async(path, Order("heal", node="w1")))["cut"] == {}
        for order, text in (
            (Order("cut", node="nobody", seconds=1), "there is no node 'nobody'"),
            (Order("dance"), "unknown order 'dance'"),
            (Order("cut", node="w1", seconds="long"), "field `seconds` is a float"),  # type: ignore[arg-type]
        ):
            with pytest.raises(LabError, match=text):
                await ask_async(path, order)
        server.close()

    asyncio.run(story())


def test_an_order_to_nobody_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        with pytest.raises(LabError, match="no answer to the order 'status'"):
            await ask_async(tmp_path / "none.sock", Order("status"))

    asyncio.run(story())


def test_a_socket_path_may_be_long(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / ("x" * 120)
        folder.mkdir()
        server = await serve_orders(folder / "network.sock", Uplinks(NODES, tmp_path / "uplinks.json"))
        assert await ask_async(folder / "network.sock", Order("status")) == {"cut": {}}
        server.close()

    asyncio.run(story())


def test_a_port_in_use_cannot_be_bound_twice() -> None:
    first = bound("127.0.0.1", 0)
    with (
        first,
        pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"),
        bound("127.0.0.1", first.getsockname()[1]) as second,
    ):
        assert isinstance(second, socket.socket)
