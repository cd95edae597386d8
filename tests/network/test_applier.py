"""The userspace proxy over real sockets on loopback: a plan is listened to, changed under clients, and taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Rule
from homeostat.network.userspace.applier import Applier
from homeostat.network.userspace.balancer import Balancer
from homeostat.network.userspace.splice import Side, Splice

HOST = "127.0.0.1"


class Links:
    """Plain connections; ports in `down` refuse, those in `slow` take so many seconds to accept."""

    def __init__(self) -> None:
        self.down: set[int] = set()
        self.slow: dict[int, float] = {}
        self.dialled: list[int] = []
        self.crossed: list[frozenset[str]] = []

    async def dial(self, host: str, port: int, *, nodes: frozenset[str], timeout_seconds: float) -> Side:
        self.dialled.append(port)
        if port in self.down:
            raise ConnectionRefusedError("down")
        if self.slow.get(port, 0.0) > timeout_seconds:
            raise TimeoutError
        _, side = await asyncio.get_running_loop().create_connection(Side, host, port)
        return side

    def join(self, client: Side, backend: Side, crosses: frozenset[str], *, label: object = None) -> object:
        self.crossed.append(crosses)
        splice = Splice(client, backend, crosses)
        splice.valve(shut=False)
        return splice


class World:
    """Backends that answer with their own name, and an applier."""

    def __init__(self) -> None:
        self.links = Links()
        self.logged: list[str] = []
        self.applier = Applier(self.links, on_trouble=self._trouble)
        self.servers: list[asyncio.Server] = []
        self.ports: dict[str, int] = {}

    async def _trouble(self, front: Front, rule: Rule, text: str) -> None:
        self.logged.append(text)

    async def backend(self, name: str, node: str = "") -> Backend:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(name.encode() + b":" + line)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, HOST, 0)
        self.servers.append(server)
        self.ports[name] = server.sockets[0].getsockname()[1]
        return Backend(HOST, self.ports[name], node)

    async def ask(self, front: Front) -> str:
        """Which backend answers a fresh connection; `closed` when the connection ends without an answer."""
        reader, writer = await asyncio.open_connection(front.address, front.port)
        try:
            writer.write(b"hi\n")
            line = await reader.readline()
        except ConnectionError:
            return "closed"
        finally:
            writer.close()
        return line.decode().partition(":")[0] or "closed"


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def run_story(story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        try:
            await asyncio.wait_for(story(world), 20)
        finally:
            await world.applier.close()
            for server in world.servers:
                server.close()

    asyncio.run(main())


def rule(*backends: Backend, affinity: int = 0) -> Rule:
    return Rule("default/web", "", backends, affinity)


def test_connections_go_round_the_backends() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        await world.applier.apply({front: rule(await world.backend("a"), await world.backend("b"))})
        answers = [await world.ask(front) for _ in range(4)]
        assert sorted(answers) == ["a", "a", "b", "b"]

    run_story(story)


def test_a_backend_that_cannot_be_reached_is_passed_over_unseen() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        await world.applier.apply({front: rule(await world.backend("a"), await world.backend("b"))})
        world.links.down = {world.ports["a"]}
        assert {await world.ask(front) for _ in range(4)} == {"b"}
        world.links.down |= {world.ports["b"]}
        assert await world.ask(front) == "closed"

    run_story(story)


def test_a_backend_that_did_not_answer_is_tried_last_for_some_seconds() -> None:
    """Only who finds out waits for it; the node that it is on may be known as NotReady 40 seconds later."""
    silent, first, second = Backend("10.0.0.1", 80), Backend("10.0.0.2", 80), Backend("10.0.0.3", 80)
    balancer = Balancer(rule(silent, first, second))
    balancer.failed(silent, 100.0)
    assert [balancer.order("c", 101.0)[-1] for _ in range(3)] == [silent] * 3
    assert {balancer.order("c", 101.0)[0] for _ in range(6)} == {first, second}
    assert silent in [balancer.order("c", 106.0)[0] for _ in range(3)]
    balancer.failed(silent, 110.0)
    balancer.chosen("c", silent, 111.0)
    assert silent in [balancer.order("c", 111.0)[0] for _ in range(3)], "it answers again"


def test_affinity_leads_elsewhere_while_the_clients_backend_does_not_answer() -> None:
    silent, well = Backend("10.0.0.1", 80), Backend("10.0.0.2", 80)
    balancer = Balancer(rule(silent, well, affinity=600))
    balancer.chosen("c", silent, 100.0)
    balancer.failed(silent, 101.0)
    assert balancer.order("c", 102.0) == [well, silent]
    assert balancer.order("c", 107.0) == [silent, well]


def test_connections_after_the_first_do_not_wait_for_a_silent_backend() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        silent, well = await world.backend("silent"), await world.backend("well")
        world.links.slow = {silent.port: 60.0}
        await world.applier.apply({front: rule(silent, well)})
        assert {await world.ask(front) for _ in range(6)} == {"well"}
        assert world.links.dialled.count(silent.port) == 1

    run_story(story)


def test_a_slow_backend_is_asked_again_before_a_client_is_sent_away() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        slow, refusing, cut = [await world.backend(name) for name in ("slow", "refusing", "cut")]
        world.links.slow = {slow.port: 0.8, cut.port: 60.0}
        world.links.down = {refusing.port}
        await world.applier.apply({front: Rule("default/web", "", (cut, refusing, slow))})
        assert await world.ask(front) == "slow"
        assert world.links.dialled == [cut.port, refusing.port, slow.port, cut.port, slow.port]

    run_story(story)


def test_a_client_is_sent_away_when_every_backend_stays_silent() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        cut = await world.backend("cut")
        world.links.slow = {cut.port: 60.0}
        await world.applier.apply({front: Rule("default/web", "", (cut,))})
        assert await world.ask(front) == "closed"
        assert world.links.dialled == [cut.port, cut.port]

    run_story(story)


def test_a_client_keeps_its_connection_when_its_backend_leaves_and_the_next_goes_elsewhere() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        first, second = await world.backend("a"), await world.backend("b")
        await world.applier.apply({front: rule(first)})
        reader, writer = await asyncio.open_connection(HOST, front.port)
        writer.write(b"one\n")
        assert await reader.readline() == b"a:one\n"
        await world.applier.apply({front: rule(second)})
        assert await world.ask(front) == "b"
        writer.write(b"two\n")
        assert await reader.readline() == b"a:two\n"
        writer.close()

    run_story(story)


def test_a_front_that_is_gone_refuses_connections_and_its_port_is_free() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        await world.applier.apply({front: rule(await world.backend("a"))})
        await world.applier.apply({})
        with pytest.raises(ConnectionRefusedError):
            await world.ask(front)
        server = await asyncio.start_server(lambda r, w: None, HOST, front.port)
        server.close()

    run_story(story)


def test_affinity_keeps_a_client_with_its_backend() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        both = (await world.backend("a"), await world.backend("b"))
        await world.applier.apply({front: rule(*both, affinity=60)})
        assert len({await world.ask(front) for _ in range(5)}) == 1

    run_story(story)


def test_a_port_in_use_is_logged_once_and_opened_as_soon_as_it_is_free() -> None:
    async def story(world: World) -> None:
        taken = await asyncio.start_server(lambda r, w: None, HOST, 0)
        front = Front(HOST, taken.sockets[0].getsockname()[1])
        plan = {front: rule(await world.backend("a"))}
        await world.applier.apply(plan)
        await world.applier.apply(plan)
        assert world.logged == [f"cannot listen on {HOST}:{front.port}: Address already in use"]
        assert list(world.applier.trouble) == [front]
        taken.close()
        await taken.wait_closed()
        await world.applier.apply(plan)
        assert world.applier.trouble == {}
        assert await world.ask(front) == "a"

    run_story(story)


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_other_protocols_are_refused_by_name(protocol: str) -> None:
    async def story(world: World) -> None:
        plan = {Front(HOST, 53, protocol): rule(await world.backend("a"))}
        await world.applier.apply(plan)
        assert world.logged == [f"{protocol} ports are not served by the userspace proxy"]
        await world.applier.apply({})
        assert world.applier.trouble == {}

    run_story(story)


def test_a_connection_crosses_the_uplinks_of_both_nodes() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port(), "TCP", "w1")
        await world.applier.apply({front: rule(await world.backend("a", "w2"))})
        await world.ask(front)
        assert world.links.crossed == [frozenset({"w1", "w2"})]

    run_story(story)


def test_a_client_that_leaves_before_it_has_a_backend_is_let_go() -> None:
    async def story(world: World) -> None:
        front = Front(HOST, free_port())
        reached, gate = asyncio.Event(), asyncio.Event()
        cancelled: list[bool] = []

        async def slow(host: str, port: int, *, nodes: frozenset[str], timeout_seconds: float) -> Side:
            reached.set()
            try:
                await gate.wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                gate.set()
                raise
            raise ConnectionRefusedError

        world.links.dial = slow  # type: ignore[method-assign]
        await world.applier.apply({front: rule(await world.backend("a"))})
        _, writer = await asyncio.open_connection(HOST, front.port)
        await reached.wait()
        writer.transport.abort()
        await gate.wait()
        assert cancelled == [True]

    run_story(story)
