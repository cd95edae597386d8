"""Names of the world: asked of others once, remembered for as long as they allow, and given up quickly offline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import dnslib

from homeostat.kit import clock, tasks, virtual
from homeostat.network.dns import records
from homeostat.network.dns.answer_cache import ENTRIES_MAX, SECONDS_MAX, Cache, lifetime
from homeostat.network.dns.dns_message import Reply
from homeostat.network.dns.forwarder import Forwarder, servers_of
from homeostat.network.dns.records import NOERROR, NXDOMAIN, REFUSED, SERVFAIL, A
from homeostat.network.dns.upstream_exchange import SECONDS_MAX as PATIENCE_SECONDS
from homeostat.network.dns.upstream_exchange import Address

FIRST, SECOND = ("192.0.2.1", 53), ("192.0.2.2", 53)
NAME = ("www", "example", "com")


def address(ttl: int = 300) -> dnslib.RR:
    return dnslib.RR("www.example.com", records.A, rdata=dnslib.A("192.0.2.80"), ttl=ttl)


def authority(ttl: int, negative: int) -> dnslib.RR:
    data = dnslib.SOA("ns.example.com", "x.example.com", (1, 2, 3, 4, negative))
    return dnslib.RR("example.com", records.SOA, rdata=data, ttl=ttl)


class Net:
    """Servers with given answers: a Reply, an error, or None for silence."""

    def __init__(self, **replies: Reply | OSError | None) -> None:
        self.replies = {FIRST: replies.get("first"), SECOND: replies.get("second")}
        self.asked: list[tuple[Address, str]] = []
        self.takes_seconds = 0.0

    async def exchange(self, server: Address, labels: tuple[bytes, ...], kind: int, *, dnssec: bool = False) -> Reply:
        self.asked.append((server, b".".join(labels).decode()))
        reply = self.replies[server]
        if reply is None:
            await clock.sleep(PATIENCE_SECONDS)
            raise TimeoutError
        await clock.sleep(self.takes_seconds)
        if isinstance(reply, OSError):
            raise reply
        return reply

    def forwarder(self) -> Forwarder:
        return Forwarder([FIRST, SECOND], self.exchange)


def run_story(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual.run(story, seed=1)


class TestMemory:
    def test_a_reply_is_kept_as_long_as_its_shortest_record(self) -> None:
        assert lifetime(Reply(NOERROR, (address(20), address(7)))) == 7
        assert lifetime(Reply(NOERROR, (address(7200),))) == SECONDS_MAX
        assert lifetime(Reply(NOERROR, (address(0),))) == 0

    def test_what_is_not_there_is_kept_as_its_authority_says(self) -> None:
        """RFC 2308, 5: the lesser of the SOA's own life and its last number; without one it is not kept."""
        assert lifetime(Reply(NXDOMAIN, (), (authority(20, 9),))) == 9
        assert lifetime(Reply(NOERROR, (), (authority(6, 900),))) == 6
        assert lifetime(Reply(NXDOMAIN)) == 0

    def test_failures_are_kept_shortly_and_refusals_not(self) -> None:
        """RFC 2308, 7: at most five minutes; CoreDNS has five seconds."""
        assert lifetime(Reply(SERVFAIL)) == 5
        assert lifetime(Reply(REFUSED)) == 0
        assert lifetime(Reply(NOERROR, (address(),), truncated=True)) == 0

    def test_records_grow_older(self) -> None:
        cache = Cache()
        cache.put("k", Reply(NOERROR, (address(20),)), now=100.0)
        found = cache.get("k", now=107.9)
        assert found is not None
        assert found.answers[0].ttl == 13
        assert cache.get("k", now=120.0) is None
        assert len(cache) == 0

    def test_no_ttl_is_longer_than_the_cache_keeps_the_record(self) -> None:
        kept = Cache().put("k", Reply(NOERROR, (address(86400),)), now=0.0)
        assert kept.answers[0].ttl == SECONDS_MAX

    def test_it_is_bounded_and_forgets_what_nobody_asks_for(self) -> None:
        cache = Cache(entries_max=2)
        for key in ("a", "b"):
            cache.put(key, Reply(NOERROR, (address(),)), now=0.0)
        cache.get("a", now=1.0)
        cache.put("c", Reply(NOERROR, (address(),)), now=1.0)
        assert [cache.get(key, now=2.0) is not None for key in "abc"] == [True, False, True]
        assert ENTRIES_MAX == 9984


def test_the_second_question_is_answered_from_memory() -> None:
    async def story() -> None:
        net = Net(first=Reply(NOERROR, (address(20),)))
        forwarder = net.forwarder()
        for _ in range(3):
            assert (await forwarder.resolve(NAME, A)).answers[0].ttl <= 20
            await clock.sleep(1)
        await clock.sleep(20)
        await forwarder.resolve(NAME, A)
        assert net.asked == [(FIRST, "www.example.com")] * 2
        assert (forwarder.hits, forwarder.misses, forwarder.kept) == (2, 2, 1)

    run_story(story)


def test_equal_questions_under_way_are_asked_once() -> None:
    """Also what keeps a circle that nobody has found yet from growing."""

    async def story() -> None:
        net = Net(first=Reply(NOERROR, (address(),)))
        net.takes_seconds = 1.0
        forwarder = net.forwarder()
        replies = await asyncio.gather(*(forwarder.resolve(NAME, A) for _ in range(50)))
        assert len(net.asked) == 1
        assert all(reply.answers for reply in replies)

    run_story(story)


def test_one_impatient_client_does_not_take_the_answer_from_the_others() -> None:
    async def story() -> None:
        net = Net(first=Reply(NOERROR, (address(),)))
        net.takes_seconds = 1.0
        forwarder = net.forwarder()
        impatient = tasks.spawn(forwarder.resolve(NAME, A), name="impatient")
        patient = tasks.spawn(forwarder.resolve(NAME, A), name="patient")
        await clock.sleep(0.5)
        impatient.cancel()
        assert (await patient).answers

    run_story(story)


def test_the_next_server_is_asked_when_one_fails_or_refuses() -> None:
    """CoreDNS, plugin forward: SERVFAIL and REFUSED of one server are not the last word here."""
    for failure in (ConnectionRefusedError(111, "refused"), Reply(SERVFAIL), Reply(REFUSED), None):

        async def story(failure: Reply | OSError | None = failure) -> None:
            net = Net(first=failure, second=Reply(NOERROR, (address(),)))
            assert (await net.forwarder().resolve(NAME, A)).answers
            assert [server for server, _ in net.asked] == [FIRST, SECOND]

        run_story(story)


def test_what_is_not_there_is_not_asked_of_the_next() -> None:
    async def story() -> None:
        net = Net(first=Reply(NXDOMAIN, (), (authority(60, 60),)), second=Reply(NOERROR, (address(),)))
        assert (await net.forwarder().resolve(NAME, A)).rcode == NXDOMAIN
        assert [server for server, _ in net.asked] == [FIRST]

    run_story(story)


def test_when_all_refuse_that_is_the_answer() -> None:
    async def story() -> None:
        net = Net(first=Reply(REFUSED), second=Reply(REFUSED))
        assert (await net.forwarder().resolve(NAME, A)).rcode == REFUSED

    run_story(story)


def test_only_the_first_question_waits_for_servers_that_are_silent() -> None:
    """Offline, resolvers ask several names for each that a program wants: five seconds each would be a minute."""

    async def story() -> None:
        net = Net()
        forwarder = net.forwarder()
        began = clock.monotonic()
        assert (await forwarder.resolve(NAME, A)).rcode == SERVFAIL
        assert clock.monotonic() - began == 2 * PATIENCE_SECONDS
        began = clock.monotonic()
        for number in range(100):
            assert (await forwarder.resolve((f"n{number}", "example"), A)).rcode == SERVFAIL
        assert clock.monotonic() == began
        assert forwarder.failures == 101

    run_story(story)


def test_a_server_that_comes_back_is_asked_again() -> None:
    async def story() -> None:
        net = Net(first=ConnectionRefusedError(), second=ConnectionRefusedError())
        forwarder = net.forwarder()
        for number in range(8):
            await forwarder.resolve((f"n{number}", "example"), A)
            await clock.sleep(11)
        net.replies[FIRST] = Reply(NOERROR, (address(),))
        await clock.sleep(11)
        assert (await forwarder.resolve(NAME, A)).answers

    run_story(story)


def test_without_servers_the_answer_is_a_failure_at_once() -> None:
    async def story() -> None:
        forwarder = Forwarder([], Net().exchange)
        assert (await forwarder.resolve(NAME, A)).rcode == SERVFAIL
        assert clock.monotonic() == 0.0

    run_story(story)


def test_too_many_questions_under_way_are_failures() -> None:
    """Each costs a socket: a program that asks for a thousand names of a silent server must not take them all."""

    async def story() -> None:
        net = Net()
        forwarder = net.forwarder()
        names = [(f"n{number}", "example") for number in range(1100)]
        began = clock.monotonic()
        replies = await asyncio.gather(*(forwarder.resolve(name, A) for name in names))
        assert len(net.asked) <= 2 * 1000
        assert all(reply.rcode == SERVFAIL for reply in replies)
        assert clock.monotonic() - began <= 2 * PATIENCE_SECONDS

    run_story(story)


def test_a_server_that_leads_back_here_is_never_asked() -> None:
    """CoreDNS' plugin loop, for circles of any length: who knows this cluster's identity is this cluster."""

    async def story() -> None:
        text = dnslib.RR("cluster-id.dns.cluster.local", records.TXT, rdata=dnslib.TXT("uid-1"), ttl=5)
        net = Net(first=Reply(NOERROR, (text,)), second=Reply(NOERROR, (address(),)))
        forwarder = net.forwarder()
        looking = tasks.spawn(forwarder.look_for_circles(("cluster-id", "dns", "cluster", "local"), "uid-1"), name="l")
        await clock.sleep(1)
        net.asked.clear()
        await forwarder.resolve(NAME, A)
        assert [server for server, _ in net.asked] == [SECOND]
        # Another cluster's DNS is a server like any other; and a circle may be broken.
        net.replies[FIRST] = Reply(NXDOMAIN)
        await clock.sleep(120)
        net.asked.clear()
        await forwarder.resolve(("other", "example"), A)
        assert [server for server, _ in net.asked] == [FIRST]
        await tasks.stop(looking)

    run_story(story)


def test_the_servers_are_those_of_the_nodes_resolv_conf() -> None:
    lines = ("# made by hand", "search example.com", *["nameserver 192.0.2.1"] * 2, " nameserver fd00::1", "nameserver")
    text = "\n".join(lines)
    assert servers_of(text, own=()) == [("192.0.2.1", 53), ("fd00::1", 53)]


def test_its_own_addresses_are_no_servers() -> None:
    """A node that uses the cluster's DNS itself: CoreDNS ends with "Loop detected" there; here the node is skipped."""
    text = "nameserver 10.96.0.10\nnameserver 127.0.0.1\nnameserver 192.0.2.1\n"
    assert servers_of(text, own=("10.96.0.10", "127.0.0.1")) == [("192.0.2.1", 53)]
