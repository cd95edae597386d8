"""The server on real sockets: UDP and TCP, long answers, questions for others, and clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import dnslib
import pytest
import uvloop

from homeostat.network.dns import records
from homeostat.network.dns.dns_server import Limits, serve
from homeostat.network.dns.entry import entry_of
from homeostat.network.dns.forwarder import Forwarder
from homeostat.network.dns.responder import Responder
from homeostat.network.dns.tally import Tally
from homeostat.network.dns.upstream_exchange import Address, exchange
from homeostat.network.dns.zone import Zone
from tests.network.dns.building import answers_of, endpoint, piece, question, rcode, service, zone_of

SECONDS_MAX = 10.0
KUBERNETES = "kubernetes.default.svc.cluster.local"


def a_zone() -> Zone:
    many = [endpoint(f"10.244.{number >> 8}.{number & 255}") for number in range(400)]
    return zone_of(
        service("default/kubernetes", "10.96.0.1", ("https", 443)),
        service("default/many"),
        piece("default/many", *many),
        service("default/out", "", type="ExternalName", externalName="www.example.com"),
        service("default/gone", "", type="ExternalName", externalName="gone.example.com"),
    )


class Site:
    """A running server and clients of it."""

    def __init__(self, zone: Zone, port: int, forwarder: Forwarder, tally: Tally) -> None:
        self.zone = zone
        self.port = port
        self.forwarder = forwarder
        self.tally = tally

    async def udp(self, *messages: bytes, answers: int | None = None) -> list[bytes]:
        """Send all from one socket; the answers in their order of arrival."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", self.port))
            for message in messages:
                sock.send(message)
            async with asyncio.timeout(SECONDS_MAX):
                return [await loop.sock_recv(sock, 4096) for _ in range(len(messages) if answers is None else answers)]

    async def ask(self, name: str, kind: str = "A", **more: int) -> bytes:
        (reply,) = await self.udp(question(name, kind, **more))
        return reply

    @contextlib.asynccontextmanager
    async def tcp(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        async with asyncio.timeout(SECONDS_MAX):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                yield reader, writer
            finally:
                writer.close()


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


async def unframed(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


def on(
    story: Callable[[Site], Awaitable[None]], *, upstream: list[Address] | None = None, limits: Limits | None = None
) -> None:
    async def main() -> None:
        zone, tally = a_zone(), Tally()
        forwarder = Forwarder(upstream or [], exchange)
        running = await serve(Responder(zone, forwarder, tally), host="127.0.0.1", port=0, limits=limits)
        try:
            await story(Site(zone, running.port, forwarder, tally))
        finally:
            await running.close()

    uvloop.run(main())


class World(asyncio.DatagramProtocol):
    """The internet's DNS: www.example.com has an address, gone.example.com does not exist, long.example.com is sent
    over TCP alone, and about quiet.example.com it says nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        reply = self.reply(data)
        if reply is not None and self.transport is not None:
            if "long" in self.asked[-1]:
                reply = dnslib.DNSRecord.parse(data).reply()
                reply.header.tc = 1
            # A forger who has seen the question's port, and guesses its number.
            self.transport.sendto(b"\0\0" + bytes(reply.pack())[2:], addr)
            self.transport.sendto(bytes(reply.pack()), addr)

    def reply(self, data: bytes) -> dnslib.DNSRecord | None:
        asked = dnslib.DNSRecord.parse(data)
        name = str(asked.q.qname)
        self.asked.append(name)
        if "quiet" in name:
            return None
        reply = asked.reply(ra=1, aa=0)
        if "gone" in name:
            reply.header.rcode = 3
            reply.add_auth(*dnslib.RR.fromZone("example.com. 60 SOA ns.example.com. x.example.com. 1 2 3 4 60"))
        elif asked.q.qtype == records.A:
            reply.add_answer(*dnslib.RR.fromZone(f"{name} 300 A 192.0.2.80"))
        return reply

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = self.reply(await unframed(reader))
        assert reply is not None
        writer.write(framed(bytes(reply.pack())))
        await writer.drain()
        writer.close()


def on_the_net(story: Callable[[Site, World], Awaitable[None]], *, limits: Limits | None = None) -> None:
    async def main() -> None:
        world, zone, tally = World(), a_zone(), Tally()
        listener = await asyncio.start_server(world.stream, "127.0.0.1", 0)
        address = listener.sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: world, local_addr=address)
        forwarder = Forwarder([address], exchange)
        running = await serve(Responder(zone, forwarder, tally), host="127.0.0.1", port=0, limits=limits)
        try:
            await story(Site(zone, running.port, forwarder, tally), world)
        finally:
            await running.close()
            transport.close()
            listener.close()

    uvloop.run(main())


class TestTheCluster:
    def test_a_service_is_found_over_udp_and_tcp(self) -> None:
        async def story(site: Site) -> None:
            assert answers_of(await site.ask(KUBERNETES)) == ["10.96.0.1"]
            async with site.tcp() as (reader, writer):
                writer.write(framed(question(KUBERNETES)))
                assert answers_of(await unframed(reader)) == ["10.96.0.1"]

        on(story)

    def test_names_that_are_not_there_say_so_at_once(self) -> None:
        """The search list of a Pod makes three such answers of each name of the world."""

        async def story(site: Site) -> None:
            for suffix in ("default.svc.cluster.local", "svc.cluster.local", "cluster.local"):
                reply = await site.ask(f"www.example.com.{suffix}")
                assert rcode(reply) == "NXDOMAIN"
                assert dnslib.DNSRecord.parse(reply).auth[0].rtype == records.SOA

        on(story)

    def test_every_answer_has_the_number_of_its_question(self) -> None:
        """Also those that were made for an earlier question and kept."""

        async def story(site: Site) -> None:
            replies = await site.udp(*(question(KUBERNETES, ident=ident) for ident in (1, 700, 65535)))
            assert [int.from_bytes(reply[:2], "big") for reply in replies] == [1, 700, 65535]
            assert len({reply[2:] for reply in replies}) == 1

        on(story)

    def test_an_answer_is_kept_no_longer_than_it_is_true(self) -> None:
        async def story(site: Site) -> None:
            assert answers_of(await site.ask(KUBERNETES)) == ["10.96.0.1"]
            site.zone.put(entry_of(service("default/kubernetes", "10.96.0.2"), []))
            assert answers_of(await site.ask(KUBERNETES)) == ["10.96.0.2"]
            site.zone.remove("default", "kubernetes")
            assert rcode(await site.ask(KUBERNETES)) == "NXDOMAIN"

        on(story)

    def test_clients_spread_over_the_endpoints_of_a_headless_service(self) -> None:
        """Many take the first address: CoreDNS' plugin loadbalance turns them for that reason."""

        async def story(site: Site) -> None:
            first = {answers_of(await site.ask("many.default.svc.cluster.local", size=1232))[0] for _ in range(16)}
            assert len(first) == 8

        on(story)

    def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(self) -> None:
        async def story(site: Site) -> None:
            name = "many.default.svc.cluster.local"
            cut = await site.ask(name)
            assert dnslib.DNSRecord.parse(cut).header.tc == 1
            assert len(cut) <= 512
            assert len(await site.ask(name, size=1232)) > 1000
            async with site.tcp() as (reader, writer):
                writer.write(framed(question(name)))
                assert len(answers_of(await unframed(reader))) == 400

        on(story)

    def test_any_is_answered_by_what_is_wanted_most(self) -> None:
        """RFC 8482."""

        async def story(site: Site) -> None:
            assert answers_of(await site.ask(KUBERNETES, "ANY")) == ["10.96.0.1"]

        on(story)

    def test_the_kept_answers_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("homeostat.network.dns.responder._KEPT_MAX", 10)

        async def story(site: Site) -> None:
            for number in range(25):
                assert answers_of(await site.ask(f"10-0-0-{number}.default.pod.cluster.local")) == [f"10.0.0.{number}"]

        on(story)


class TestTheWorld:
    def test_other_names_are_asked_of_others_and_remembered(self) -> None:
        async def story(site: Site, world: World) -> None:
            for _ in range(3):
                assert answers_of(await site.ask("www.example.com")) == ["192.0.2.80"]
            assert world.asked == ["www.example.com."]
            assert site.forwarder.hits == 2

        on_the_net(story)

    def test_an_external_name_comes_with_the_addresses_behind_it(self) -> None:
        async def story(site: Site, world: World) -> None:
            assert answers_of(await site.ask("out.default.svc.cluster.local")) == ["www.example.com.", "192.0.2.80"]
            assert answers_of(await site.ask("out.default.svc.cluster.local", "CNAME")) == ["www.example.com."]
            gone = await site.ask("gone.default.svc.cluster.local")
            assert (rcode(gone), answers_of(gone)) == ("NXDOMAIN", ["gone.example.com."])

        on_the_net(story)

    def test_what_does_not_exist_comes_with_its_authority(self) -> None:
        async def story(site: Site, world: World) -> None:
            reply = await site.ask("gone.example.com")
            assert rcode(reply) == "NXDOMAIN"
            assert dnslib.DNSRecord.parse(reply).auth[0].ttl == 30, "no longer than it is kept here"
            # The type is right, the name exists: no records, and no error.
            empty = await site.ask("www.example.com", "AAAA")
            assert (rcode(empty), answers_of(empty)) == ("NOERROR", [])

        on_the_net(story)

    def test_a_long_answer_is_fetched_over_tcp(self) -> None:
        async def story(site: Site, world: World) -> None:
            assert answers_of(await site.ask("long.example.com")) == ["192.0.2.80"]
            assert world.asked == ["long.example.com."] * 2

        on_the_net(story)

    def test_a_slow_question_holds_nobody_up(self) -> None:
        """Over TCP the answers come in the order in which they are ready (RFC 7766, 6.2.1.1)."""

        async def story(site: Site, world: World) -> None:
            async with site.tcp() as (reader, writer):
                writer.write(framed(question("quiet.example.com", ident=1)) + framed(question(KUBERNETES, ident=2)))
                assert (await unframed(reader))[:2] == b"\0\2"
                slow = await unframed(reader)
                assert (slow[:2], rcode(slow)) == (b"\0\1", "SERVFAIL")

        on_the_net(story)

    def test_who_wants_no_recursion_gets_what_is_known(self) -> None:
        async def story(site: Site, world: World) -> None:
            assert rcode(await site.ask("www.example.com", recursion=False)) == "REFUSED"
            alias = await site.ask("out.default.svc.cluster.local", recursion=False)
            assert (rcode(alias), answers_of(alias)) == ("NOERROR", ["www.example.com."])
            assert world.asked == []

        on_the_net(story)

    def test_a_server_that_is_not_there_costs_no_time(self) -> None:
        """Refused by the kernel: the failure is the answer at once, not after a time-out of five seconds."""

        async def story(site: Site) -> None:
            async with asyncio.timeout(1.5):
                assert rcode(await site.ask("www.example.com")) == "SERVFAIL"

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            address = unused.getsockname()
        on(story, upstream=[address])


class TestClients:
    def test_bad_packets_harm_nobody(self) -> None:
        async def story(site: Site) -> None:
            scraps = [b"", b"\0", b"\xff" * 11, bytes(dnslib.DNSRecord.question("x.y").reply().pack())]
            broken = question(KUBERNETES)[:-3]
            replies = await site.udp(*scraps, broken, question(KUBERNETES), answers=2)
            assert [rcode(reply) for reply in replies] == ["FORMERR", "NOERROR"]

        on(story)

    def test_many_questions_on_one_connection(self) -> None:
        async def story(site: Site) -> None:
            async with site.tcp() as (reader, writer):
                for byte in framed(question(KUBERNETES)):
                    writer.write(bytes((byte,)))
                    await writer.drain()
                writer.write(framed(question(KUBERNETES)) * 20)
                for _ in range(21):
                    assert answers_of(await unframed(reader)) == ["10.96.0.1"]

        on(story)

    @pytest.mark.parametrize("data", [b"\0\0", b"\xff\xff" + b"x" * 100, framed(b"\0" * 5)])
    def test_a_connection_that_makes_no_sense_ends(self, data: bytes) -> None:
        async def story(site: Site) -> None:
            async with site.tcp() as (reader, writer):
                writer.write(data)
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""

        on(story)

    def test_idle_connections_end(self) -> None:
        async def story(site: Site) -> None:
            async with site.tcp() as (reader, _):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""

        on(story, limits=Limits(idle_seconds=0.05))

    def test_connections_are_bounded(self) -> None:
        async def story(site: Site) -> None:
            async with site.tcp() as (first, writer), site.tcp() as (second, other):
                for reader, asking in ((first, writer), (second, other)):
                    asking.write(framed(question(KUBERNETES)))
                    assert answers_of(await unframed(reader)) == ["10.96.0.1"]
                async with site.tcp() as (third, _):
                    with contextlib.suppress(ConnectionResetError):
                        assert await third.read() == b""

        on(story, limits=Limits(connections=2))

    def test_when_too_many_wait_the_rest_fail_at_once(self) -> None:
        async def story(site: Site, world: World) -> None:
            waiting = [question(f"quiet{number}.example.com", ident=number) for number in range(4)]
            replies = await site.udp(*waiting, answers=2)
            assert [(reply[1], rcode(reply)) for reply in replies] == [(2, "SERVFAIL"), (3, "SERVFAIL")]

        on_the_net(story, limits=Limits(waiting=2))

    def test_what_was_answered_is_counted(self) -> None:
        async def story(site: Site) -> None:
            await site.udp(question(KUBERNETES), question(KUBERNETES), question("nobody.cluster.local"))
            async with site.tcp() as (reader, writer):
                writer.write(framed(question(KUBERNETES, "SRV")))
                await unframed(reader)
            lines = site.tally.text(cache_entries=("gauge", 3)).splitlines()
            assert 'coredns_dns_responses_total{proto="udp",type="A",rcode="NOERROR"} 2' in lines
            assert 'coredns_dns_responses_total{proto="udp",type="A",rcode="NXDOMAIN"} 1' in lines
            assert 'coredns_dns_responses_total{proto="tcp",type="SRV",rcode="NOERROR"} 1' in lines
            assert "coredns_cache_entries 3" in lines

        on(story)
