"""Names that are not the cluster's: asked of the node's own DNS servers, one question at a time for each name.

A server that does not answer is left alone for a while, so that only the first question waits for it. A server that
leads back to this cluster is never asked: it would ask in a circle. Rules: CoreDNS' plugins forward, cache and loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.network.dns import records
from homeostat.network.dns.answer_cache import Cache
from homeostat.network.dns.dns_message import Reply
from homeostat.network.dns.upstream_exchange import Address, Exchange

DNS_PORT = 53
_SERVERS_MAX = 3
_UNDER_WAY_MAX = 1000
# Refusals cost nothing, silence costs seconds: longer than all servers together may take.
_REFUSED = Backoff(first_seconds=0.5, ceiling_seconds=5.0)
_SILENT = Backoff(first_seconds=10.0, ceiling_seconds=30.0)
_NEW_IDENTITY_SECONDS = 60.0
_FAILED = Reply(records.SERVFAIL)
_TEXT_LENGTH_BYTES = 1

_log = logger("dns.upstream")


def servers_of(resolv_conf: str, *, own: Sequence[str]) -> list[Address]:
    """The servers that a resolv.conf names, without this server's own addresses: asking them is asking oneself."""
    words = [line.split() for line in resolv_conf.splitlines()]
    named = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return [(host, DNS_PORT) for host in dict.fromkeys(named) if host not in own][:_SERVERS_MAX]


class _Server:
    """One server, and how it is."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.failures = 0
        self.down_until = 0.0
        self.circular = False


class Forwarder:
    """Asks `servers`, in their order."""

    def __init__(self, servers: Sequence[Address], exchange: Exchange) -> None:
        self._servers = [_Server(address) for address in servers]
        self._exchange = exchange
        self._cache = Cache()
        self._under_way: dict[tuple[records.Labels, int, bool], asyncio.Task[Reply]] = {}
        self.hits = self.misses = self.failures = 0

    @property
    def kept(self) -> int:
        """How many replies are in the cache."""
        return len(self._cache)

    async def resolve(self, labels: records.Labels, kind: int, *, dnssec: bool = False) -> Reply:
        """The upstream answer for a name; SERVFAIL when no server can be reached. Raises nothing."""
        key = (labels, kind, dnssec)
        known = self._cache.get(key, clock.monotonic())
        if known is not None:
            self.hits += 1
            return known
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= _UNDER_WAY_MAX:
                return _FAILED
            self.misses += 1
            task = tasks.spawn(self._ask(key), name="dns/forward")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, key: tuple[records.Labels, int, bool]) -> Reply:
        labels, kind, dnssec = key
        asked = tuple(label.encode("latin-1") for label in labels)
        last: Reply | None = None
        for server in self._order():
            try:
                reply = await self._exchange(server.address, asked, kind, dnssec=dnssec)
            except OSError as error:
                self._failed(server, error)
                continue
            server.failures, server.down_until = 0, 0.0
            if reply.rcode in (records.SERVFAIL, records.REFUSED):
                last = reply
                continue
            return self._cache.put(key, reply, clock.monotonic())
        if last is not None:
            return self._cache.put(key, last, clock.monotonic())
        self.failures += 1
        return _FAILED

    def _order(self) -> list[_Server]:
        now = clock.monotonic()
        return [server for server in self._servers if not server.circular and server.down_until <= now]

    def _failed(self, server: _Server, error: OSError) -> None:
        if not server.failures:
            _log.warning("%s:%d does not answer: %s", *server.address, str(error) or type(error).__name__)
        pause = _SILENT if isinstance(error, TimeoutError) else _REFUSED
        server.down_until = clock.monotonic() + pause.delay(server.failures)
        server.failures += 1

    async def look_for_circles(self, name: records.Labels, identity: str) -> None:
        """Ask every server, now and again, for the cluster's own identity, which is the text of `name`: one that knows
        it is this cluster's DNS, by whatever way. Does not return."""
        asked = tuple(label.encode("latin-1") for label in name)
        while True:
            for server in self._servers:
                try:
                    reply = await self._exchange(server.address, asked, records.TXT)
                except OSError:
                    continue  # whether it answers at all is for those to say who need it
                circular = any(identity.encode() in _texts(rr) for rr in reply.answers)
                if circular != server.circular:
                    what = "leads back to this cluster, and is not asked" if circular else "no longer leads in a circle"
                    _log.warning("%s:%d %s", *server.address, what)
                server.circular = circular
            await clock.sleep(_NEW_IDENTITY_SECONDS)


def _texts(record: object) -> tuple[bytes, ...]:
    data = getattr(getattr(record, "rdata", None), "data", ())
    return tuple(bytes(part) for part in data) if isinstance(data, list | tuple) else ()
